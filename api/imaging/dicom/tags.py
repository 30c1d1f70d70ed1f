"""What the tags say of how a radiograph was taken, and to which study it belongs."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

from pydicom import Dataset

from api.imaging.dicom.values import items, text, texts
from api.types import Acquisition, Study

_MODALITY, _BODY_PART, _VIEW_POSITION = 0x00080060, 0x00180015, 0x00185101
_PATIENT_ORIENTATION, _BURNED_IN_ANNOTATION = 0x00200020, 0x00280301
_PRESENTATION_INTENT = 0x00080068
_VIEW_CODES, _ANATOMIC_REGIONS, _CODE_VALUE, _LONG_CODE_VALUE = 0x00540220, 0x00082218, 0x00080100, 0x00080119
_STUDY_INSTANCE_UID, _ACCESSION_NUMBER = 0x0020000D, 0x00080050
_ACQUISITION_DATE_TIME, _TIMEZONE = 0x0008002A, 0x00080201
# Dates and times of acquisition, content, series and study: the first that is there is nearest to the exposure.
_DATES_AND_TIMES = (
    (0x00080022, 0x00080032),
    (0x00080023, 0x00080033),
    (0x00080021, 0x00080031),
    (0x00080020, 0x00080030),
)
_UID = re.compile(r"[0-9.]{1,64}")  # PS3.5, section 9.1
_LONGEST_ACCESSION_NUMBER = 16  # a Short String (PS3.5, section 6.2)
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


def read_acquisition(header: Dataset) -> Acquisition:
    """Read how the radiograph was taken; tags that are missing are empty."""
    return Acquisition(
        modality=text(header, _MODALITY),
        view_position=text(header, _VIEW_POSITION),
        view_codes=_codes(header, _VIEW_CODES),
        body_part=text(header, _BODY_PART),
        region_codes=_codes(header, _ANATOMIC_REGIONS),
        patient_orientation=texts(header, _PATIENT_ORIENTATION),
        burned_in_annotation=text(header, _BURNED_IN_ANNOTATION),
        presentation_intent=text(header, _PRESENTATION_INTENT),
    )


def read_study(header: Dataset) -> Study:
    """Read which study the radiograph belongs to and when it was acquired.

    They go into answers, so that what is no identifier, or no accession number, is left out: it could be a name.
    """
    uid, accession_number = text(header, _STUDY_INSTANCE_UID), text(header, _ACCESSION_NUMBER)
    return Study(
        instance_uid=uid if _UID.fullmatch(uid) else "",
        accession_number=accession_number if len(accession_number) <= _LONGEST_ACCESSION_NUMBER else "",
        acquired=next(_acquired(header), None),
    )


def _codes(header: Dataset, sequence: int) -> tuple[str, ...]:
    found = (text(item, _CODE_VALUE) or text(item, _LONG_CODE_VALUE) for item in items(header, sequence))
    return tuple(code for code in found if code)


def _acquired(header: Dataset) -> Iterator[datetime | date]:
    zone = text(header, _TIMEZONE)
    moment = text(header, _ACQUISITION_DATE_TIME)
    local = re.split("[+-]", moment)[0]
    yield from _moment(local[:8], local[8:], moment[len(local) :] or zone)
    for date_tag, time_tag in _DATES_AND_TIMES:
        yield from _moment(text(header, date_tag), text(header, time_tag), zone)


def _moment(day: str, time: str, offset: str) -> Iterator[datetime | date]:
    """Give a moment where the time zone is known, else a day, and nothing where there is none (PS3.5, section 6.2)."""
    midnight = _midnight(day)
    if midnight is None:
        return
    zone, since_midnight = _zone(offset), _since_midnight(time)
    if zone is None or since_midnight is None:
        yield midnight.date()
    else:
        yield (midnight + since_midnight).replace(tzinfo=zone)


def _midnight(day: str) -> datetime | None:
    found = _DATE.fullmatch(day)
    try:
        return datetime(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _since_midnight(time: str) -> timedelta | None:
    found = _TIME.fullmatch(time)
    if not found:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    microseconds = int((found[4] or "").ljust(6, "0"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)


def _zone(offset: str) -> timezone | None:
    """Read an offset from UTC, which is at most 14 hours (PS3.3, section C.12.1.1.8)."""
    found = _OFFSET.fullmatch(offset)
    if not found:
        return None
    distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-distance if found[1] == "-" else distance) if distance <= timedelta(hours=14) else None
