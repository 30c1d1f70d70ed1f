"""What an answer takes over from the image that it is about: patient and study, identifiers, and when it was taken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import UID

from api.errors import NotAcceptable
from api.reports.dicom.attributes import (
    Patterns,
    character_set,
    copies,
    dataset_of,
    items_of,
    keep_bytes,
    value_of,
)

NO_DATE, NO_TIME = "19000101", "000000"  # where the image tells none
_ANY = re.compile(rb"[^\x00-\x1a\x1c-\x1f\x7f]*")  # escape, 1B, switches between character sets
_DATE = re.compile(rb"\d{8}")
_TIME = re.compile(rb"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_YES_OR_NO = re.compile(rb"YES|NO")
_ORIENTATION = re.compile(rb"[APLRHF]{1,3}\\[APLRHF]{1,3}")
# What is copied (PS3.3, sections C.7.1.1, C.7.2.1 and C.12.1), and what a value must look like; others are left out.
_COPIED: Patterns = {
    "PatientName": _ANY,
    "PatientID": _ANY,
    "IssuerOfPatientID": _ANY,
    "PatientBirthDate": _DATE,
    "PatientBirthTime": _TIME,
    "PatientSex": re.compile(rb"[MFO]"),
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "StudyID": _ANY,
    "StudyDescription": _ANY,
    "AccessionNumber": _ANY,
    "ReferringPhysicianName": _ANY,
    "TimezoneOffsetFromUTC": re.compile(rb"[+-]\d{4}"),
}
_OTHER_IDS = "OtherPatientIDsSequence"
_OTHER_ID: Patterns = {
    "PatientID": _ANY,
    "IssuerOfPatientID": _ANY,
    "TypeOfPatientID": re.compile(rb"TEXT|RFID|BARCODE"),
}
_OPTIONAL = ("IssuerOfPatientID", "PatientBirthTime", "StudyDescription", "TimezoneOffsetFromUTC")
_ALWAYS_THERE = frozenset(Tag(keyword) for keyword in _COPIED if keyword not in _OPTIONAL)  # type 2: even if empty
_MOMENTS = ("Acquisition", "Content", "Series", "Study")
_UID = re.compile(rb"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_IMAGE = re.compile(r"(?!DICOS|Eddy).*Image Storage")  # others of that name are not medical


@dataclass(frozen=True, slots=True)
class Source:
    """The image that an answer is about.

    `date` and `time` are when it was taken, as DICOM writes them. `orientation` is that of its rows and columns, and
    `burned_in` says YES or NO to whether its pixels name the patient; both are empty where it is unknown. With
    `of_chest`, it says that it shows a chest; with `lossy`, that it has been compressed with loss. `copied` are the
    attributes of patient and study.
    """

    study_uid: str
    series_uid: str
    class_uid: str
    instance_uid: str
    date: str
    time: str
    orientation: str
    burned_in: str
    of_chest: bool
    lossy: bool
    copied: Dataset = field(repr=False)


def read_source(header: Dataset) -> Source:
    """Read what an answer needs of an image's header.

    Raises
    ------
    NotAcceptable
        Nothing can refer to the image: one of its identifiers is missing or none, or its class is not that of an image.
    """
    date, time = _taken(header)
    return Source(
        study_uid=_uid(header, "StudyInstanceUID"),
        series_uid=_uid(header, "SeriesInstanceUID"),
        class_uid=_image_class(header),
        instance_uid=_uid(header, "SOPInstanceUID"),
        date=date,
        time=time,
        orientation=_matching(header, "PatientOrientation", _ORIENTATION),
        burned_in=_matching(header, "BurnedInAnnotation", _YES_OR_NO),
        of_chest=value_of(header, "BodyPartExamined") == b"CHEST",
        lossy=value_of(header, "LossyImageCompression") == b"01",
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


def _uid(header: Dataset, keyword: str) -> str:
    uid = value_of(header, keyword)
    if not _UID.fullmatch(uid):
        raise NotAcceptable(
            f"DICOM objects can only answer an image that they can refer to. Received: an image whose {keyword} is "
            "missing or invalid. Send it with its identifiers, or accept application/json or application/fhir+json."
        )
    return uid.decode("ascii")


def _image_class(header: Dataset) -> str:
    uid = UID(_uid(header, "SOPClassUID"))
    if not _IMAGE.match(uid.name) or uid.is_retired:
        raise NotAcceptable(
            "DICOM objects can only answer an image of a standard class that is not retired. Received: another "
            "SOPClassUID. Send the image as its modality made it, or accept application/json or application/fhir+json."
        )
    return str(uid)


def _taken(header: Dataset) -> tuple[str, str]:
    """Give the date and time of the acquisition; of the content, the series or the study where that is not told."""
    moment = value_of(header, "AcquisitionDateTime")
    pairs = [(moment[:8], re.split(rb"[+-]", moment[8:])[0])]
    pairs += [(value_of(header, f"{of}Date"), value_of(header, f"{of}Time")) for of in _MOMENTS]
    for date, time in pairs:
        if _is_date(date):
            return date.decode("ascii"), time.decode("ascii") if _TIME.fullmatch(time) else NO_TIME
    return NO_DATE, NO_TIME


def _is_date(value: bytes) -> bool:
    if not _DATE.fullmatch(value):
        return False
    try:
        datetime.strptime(value.decode("ascii"), "%Y%m%d")
    except ValueError:
        return False
    return True


def _matching(header: Dataset, keyword: str, pattern: re.Pattern[bytes]) -> str:
    value = value_of(header, keyword)
    return value.decode("ascii") if pattern.fullmatch(value) else ""
