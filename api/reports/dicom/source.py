"""What an answer takes over from the image that it is about: patient and study, identifiers, and when it was taken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import UID

from api.errors import NotAcceptable
from api.reports.dicom.attributes import (
    Checks,
    character_set,
    copies,
    dataset_of,
    items_of,
    keep_bytes,
    says_nothing,
    spelled,
    value_of,
)
from api.reports.dicom.values import (
    Check,
    is_date,
    is_name,
    is_offset,
    is_time,
    long_string,
    matching,
    short_string,
)
from api.reports.identity import is_uid

NO_DATE, NO_TIME = "19000101", "000000"  # where the image tells none
# What is copied (PS3.3, sections C.7.1.1, C.7.2.1 and C.12.1), and what a value must look like; others are left out.
_COPIED: Checks = {
    "PatientName": is_name,
    "PatientID": long_string,
    "IssuerOfPatientID": long_string,
    "PatientBirthDate": is_date,
    "PatientBirthTime": is_time,
    "PatientSex": matching("[MFO]"),
    "StudyDate": is_date,
    "StudyTime": is_time,
    "StudyID": short_string,
    "StudyDescription": long_string,
    "AccessionNumber": short_string,
    "ReferringPhysicianName": is_name,
    "TimezoneOffsetFromUTC": is_offset,
}
_OTHER_IDS = "OtherPatientIDsSequence"
_OTHER_ID: Checks = {
    "PatientID": long_string,
    "IssuerOfPatientID": long_string,
    "TypeOfPatientID": matching("TEXT|RFID|BARCODE"),
}
_OPTIONAL = ("IssuerOfPatientID", "PatientBirthTime", "StudyDescription", "TimezoneOffsetFromUTC")
_ALWAYS_THERE = frozenset(Tag(keyword) for keyword in _COPIED if keyword not in _OPTIONAL)  # type 2: even if empty
_MOMENTS = ("Acquisition", "Content", "Series", "Study")
_IS_YES_OR_NO = matching("YES|NO")
_IS_ORIENTATION = matching(r"[APLRHF]{1,3}\\[APLRHF]{1,3}")
_IMAGE = re.compile(r"(?!DICOS|Eddy).*Image Storage")  # others of that name are not medical
# JPEG of 8 and 12 bits; and those that can do without loss, unless the image says that it was (PS3.5, section 8.2).
_ALWAYS_LOSSY = frozenset(("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"))
_MOSTLY_LOSSY = frozenset(("1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203"))


@dataclass(frozen=True, slots=True)
class Source:
    """The image that an answer is about.

    `date` and `time` are when it was taken, as DICOM writes them. `directions` are those of its rows and columns, such
    as L and F, and `burned_in` says YES or NO to whether its pixels name the patient; both are empty if unknown. With
    `lossy`, it has been compressed with loss. `copied` are the attributes of patient and study.
    """

    study_uid: str
    series_uid: str
    class_uid: str
    instance_uid: str
    date: str
    time: str
    directions: tuple[str, ...]
    burned_in: str
    lossy: bool
    copied: Dataset = field(repr=False)


def read_source(header: Dataset) -> Source:
    """Read what an answer needs of an image's header.

    Raises
    ------
    NotAcceptable
        Nothing can refer to the image: one of its identifiers is missing or none, or its class is not that of an image.
        Or the patient's identifier cannot be copied, so that the answer would name nobody in the study of somebody.
    """
    _check_patient_id(header)
    date, time = _taken(header)
    return Source(
        study_uid=_uid(header, "StudyInstanceUID"),
        series_uid=_uid(header, "SeriesInstanceUID"),
        class_uid=_image_class(header),
        instance_uid=_uid(header, "SOPInstanceUID"),
        date=date,
        time=time,
        directions=tuple(filter(None, _checked(header, "PatientOrientation", _IS_ORIENTATION).split("\\"))),
        burned_in=_checked(header, "BurnedInAnnotation", _IS_YES_OR_NO),
        lossy=_is_lossy(header),
        copied=dataset_of(_of_patient_and_study(header)),
    )


def _of_patient_and_study(header: Dataset) -> Iterator[DataElement | RawDataElement]:
    copied = tuple(copies(header, _COPIED))
    others = [item for each in items_of(header, _OTHER_IDS) if (item := _other_id(each)) is not None]
    yield from copied
    yield from (DataElement(tag, dictionary_VR(tag), None) for tag in _ALWAYS_THERE - {each.tag for each in copied})
    if others:
        yield DataElement(_OTHER_IDS, "SQ", others)
    texts = (*copied, *(element for item in others for element in item.elements()))
    declared = character_set(header, texts)
    if declared is not None:
        yield declared


def _other_id(item: Dataset) -> Dataset | None:
    """Copy another identifier of the patient, if it tells its type (PS3.3, table C.7-1)."""
    copied = dataset_of(copies(item, _OTHER_ID))
    keep_bytes(copied)
    return copied if "PatientID" in copied and "TypeOfPatientID" in copied else None


def _check_patient_id(header: Dataset) -> None:
    if says_nothing(header, "PatientID") or long_string(spelled(header, "PatientID") or "\\"):
        return
    raise NotAcceptable(
        "DICOM objects can only answer an image whose PatientID is empty or one text of at most 64 characters without "
        "control characters. Received: another PatientID. Send the image with a valid one, or accept application/json "
        "or application/fhir+json."
    )


def _uid(header: Dataset, keyword: str) -> str:
    uid = spelled(header, keyword)
    if not is_uid(uid):
        raise NotAcceptable(
            f"DICOM objects can only answer an image that they can refer to. Received: an image whose {keyword} is "
            "missing or invalid. Send it with its identifiers, or accept application/json or application/fhir+json."
        )
    return uid


def _image_class(header: Dataset) -> str:
    uid = UID(_uid(header, "SOPClassUID"))
    if not _IMAGE.match(uid.name) or uid.is_retired:
        raise NotAcceptable(
            "DICOM objects can only answer an image of a standard class that is not retired. Received: another "
            "SOPClassUID. Send the image as its modality made it, or accept application/json or application/fhir+json."
        )
    return str(uid)


def _is_lossy(header: Dataset) -> bool:
    """Tell whether the image was compressed with loss; not every writer says so as it should."""
    declared = value_of(header, "LossyImageCompression")
    syntax = spelled(getattr(header, "file_meta", Dataset()), "TransferSyntaxUID")
    return declared == b"01" or syntax in _ALWAYS_LOSSY or (syntax in _MOSTLY_LOSSY and declared != b"00")


def _taken(header: Dataset) -> tuple[str, str]:
    """Give the date and time of the acquisition; of the content, the series or the study where that is not told."""
    for date, time in _told(header):
        if is_date(date):
            return date, time if is_time(time) else NO_TIME
    return NO_DATE, NO_TIME


def _told(header: Dataset) -> Iterator[tuple[str, str]]:
    """List dates and times in the time zone that is copied, or in one that is not told."""
    moment, zone = spelled(header, "AcquisitionDateTime"), _checked(header, "TimezoneOffsetFromUTC", is_offset)
    local = re.split("[+-]", moment)[0]
    offset = moment[len(local) :]
    if offset == zone or not offset or not zone:
        yield local[:8], local[8:]
    for of in _MOMENTS:
        yield spelled(header, f"{of}Date"), spelled(header, f"{of}Time")


def _checked(header: Dataset, keyword: str, is_valid: Check) -> str:
    value = spelled(header, keyword)
    return value if is_valid(value) else ""
