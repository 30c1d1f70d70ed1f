"""Tags as they should be, and as they come."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from pydicom import Dataset

from api.imaging.dicom.file import to_dataset
from api.imaging.dicom.structure import Encoding, Structure
from api.imaging.dicom.tags import read_acquisition, read_study
from api.types import Acquisition, Study
from tests.dicom.elements import element
from tests.dicom.files import coded
from tests.unit.imaging.dicom.headers import header

NO_DATES = dict.fromkeys(
    f"{what}{kind}" for what in ("Acquisition", "Content", "Study", "Series") for kind in ("Date", "Time")
)


def acquired(**tags: Any) -> datetime | date | None:
    return read_study(header(**{**NO_DATES, **tags})).acquired


def as_written(*elements: bytes) -> Dataset:
    return to_dataset(Structure(memoryview(b"".join(elements))).elements(0, Encoding(True, True)))


def test_an_acquisition_is_read() -> None:
    tags = {
        "Modality": "CR",
        "ViewPosition": "AP",
        "ViewCodeSequence": [coded("399348003", "SCT", "antero-posterior"), coded("R-1", "SRT", "other")],
        "BodyPartExamined": "CHEST",
        "AnatomicRegionSequence": [coded("816094009", "SCT", "Chest")],
        "PatientOrientation": ["L", "FP"],
        "BurnedInAnnotation": "YES",
        "PresentationIntentType": "FOR PROCESSING",
    }
    assert read_acquisition(header(**tags)) == Acquisition(
        "CR", "AP", ("399348003", "R-1"), "CHEST", ("816094009",), ("L", "FP"), "YES", "FOR PROCESSING"
    )


def test_what_is_missing_is_empty() -> None:
    assert read_acquisition(Dataset()) == Acquisition()
    assert read_study(Dataset()) == Study()


def test_values_are_read_without_what_fills_them_up() -> None:
    tags = as_written(element(0x0008, 0x0060, "CS", b" DX "), element(0x0018, 0x5101, "CS", b"PA\0\0"))
    assert (read_acquisition(tags).modality, read_acquisition(tags).view_position) == ("DX", "PA")


@pytest.mark.parametrize(
    "tags",
    [
        [element(0x0008, 0x0060, "US", b"\1\2")],
        [element(0x0008, 0x0060, "SQ", b"")],
        [element(0x0054, 0x0220, "CS", b"PA")],
        [element(0x0054, 0x0220, "SQ", b"")],
        [element(0x0020, 0x0020, "CS", b"")],
        [element(0x0018, 0x5101, "CS", "Thorax à plat".encode("latin-1") + b" ")],
        [element(0x0018, 0x5101, "ZZ", b"PA")],
        [element(0x0018, 0x5101, "CS", b"\xff" * 2000)],
    ],
    ids=["number", "no sequence", "no items", "no codes", "nothing", "accents", "unknown kind", "noise"],
)
def test_values_of_another_kind_do_no_harm(tags: list[bytes]) -> None:
    read = read_acquisition(as_written(*tags))
    assert read.view_codes == ()
    assert len(read.view_position) <= 1024


def test_several_values_of_one_are_the_first() -> None:
    assert read_acquisition(as_written(element(0x0018, 0x5101, "CS", b"LL\\PA "))).view_position == "LL"


def test_a_study_is_read() -> None:
    study = read_study(header(StudyInstanceUID="2.25.7", AccessionNumber="A-1"))
    assert (study.instance_uid, study.accession_number) == ("2.25.7", "A-1")


def test_what_is_no_identifier_is_left_out() -> None:
    study = read_study(
        as_written(
            element(0x0020, 0x000D, "UI", b"DOE^JANE"),
            element(0x0008, 0x0050, "SH", b"DOE^JANE born 1980"),
        )
    )
    assert study == Study()


def test_the_day_of_acquisition_comes_before_other_days() -> None:
    days = {"StudyDate": "20240101", "SeriesDate": "20240102", "ContentDate": "20240103", "AcquisitionDate": "20240104"}
    assert acquired(**days) == date(2024, 1, 4)
    for tag, day in (("AcquisitionDate", 3), ("ContentDate", 2), ("SeriesDate", 1)):
        del days[tag]
        assert acquired(**days) == date(2024, 1, day)
    assert acquired() is None


def test_a_moment_needs_a_time_zone() -> None:
    tags = {"StudyDate": "20240305", "StudyTime": "101530.25"}
    assert acquired(**tags) == date(2024, 3, 5)
    moment = acquired(**tags, TimezoneOffsetFromUTC="+0130")
    assert moment == datetime(2024, 3, 5, 8, 45, 30, 250_000, UTC)
    assert isinstance(moment, datetime)
    assert moment.utcoffset() == timedelta(hours=1, minutes=30)
    assert acquired(**tags, TimezoneOffsetFromUTC="-0500") == datetime(2024, 3, 5, 15, 15, 30, 250_000, UTC)


def test_date_and_time_in_one_come_first_with_their_own_zone() -> None:
    tags = {"AcquisitionDateTime": "20240305101530-0800", "StudyDate": "20240101", "TimezoneOffsetFromUTC": "+0000"}
    assert acquired(**tags) == datetime(2024, 3, 5, 10, 15, 30, tzinfo=timezone(timedelta(hours=-8)))
    assert acquired(**{**tags, "AcquisitionDateTime": "2024"}) == date(2024, 1, 1)
    assert acquired(**{**tags, "AcquisitionDateTime": "20240305"}) == date(2024, 3, 5)
    assert acquired(**{**tags, "AcquisitionDateTime": "2024030510"}) == datetime(2024, 3, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize("day", [b"20240230", b"00000000", b"DOE^JANE", b"2024    ", b"20241301", b"99999999"])
def test_a_day_that_does_not_exist_is_none(day: bytes) -> None:
    assert read_study(as_written(element(0x0008, 0x0020, "DA", day))).acquired is None


@pytest.mark.parametrize("time", ["250000", "106000", "101560", "ten", "", "1"])
def test_a_time_that_does_not_exist_leaves_the_day(time: str) -> None:
    written = as_written(
        element(0x0008, 0x0020, "DA", b"20240305"),
        element(0x0008, 0x0030, "TM", time.ljust(6).encode()),
        element(0x0008, 0x0201, "SH", b"+0000 "),
    )
    assert read_study(written).acquired == date(2024, 3, 5)


@pytest.mark.parametrize("zone", [b"+1500 ", b"Z ", b"+01:00", b"0100", b"CET "])
def test_a_zone_that_does_not_exist_leaves_the_day(zone: bytes) -> None:
    written = as_written(
        element(0x0008, 0x0020, "DA", b"20240305"),
        element(0x0008, 0x0030, "TM", b"101500"),
        element(0x0008, 0x0201, "SH", zone),
    )
    assert read_study(written).acquired == date(2024, 3, 5)


def test_older_dates_and_times_are_read() -> None:
    written = as_written(
        element(0x0008, 0x0020, "DA", b"1993.08.22"),
        element(0x0008, 0x0030, "TM", b"07:09:10"),
        element(0x0008, 0x0201, "SH", b"+0000 "),
    )
    assert read_study(written).acquired == datetime(1993, 8, 22, 7, 9, 10, tzinfo=UTC)
