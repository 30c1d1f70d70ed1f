import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from pydicom import Dataset, dcmread
from pydicom._uid_dict import UID_dictionary
from pydicom.data import get_charset_files
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from api.errors import NotAcceptable
from api.reports.dicom import dicom_objects
from api.reports.dicom.source import read_source
from tests.unit.reports.dicom.reports_by_hand import default_methods, header, report, reread
from tests.unit.reports.dicom.validators import dciodvfy

RADIOGRAPHS = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiofluoroscopicImageStorage,
)
IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
COPIED = {
    "PatientName": "DOE^JANE",
    "PatientID": "MRN-4711",
    "IssuerOfPatientID": "Saint Elsewhere",
    "PatientBirthDate": "19800102",
    "PatientBirthTime": "0315",
    "PatientSex": "F",
    "StudyInstanceUID": "2.25.47110001",
    "StudyDate": "20240305",
    "StudyTime": "101500",
    "StudyID": "1",
    "StudyDescription": "Suspected fracture of Jane",
    "AccessionNumber": "ACC-0815",
    "ReferringPhysicianName": "ROE^RICHARD",
    "TimezoneOffsetFromUTC": "+0100",
}
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def answered(source: Dataset) -> list[Dataset]:
    files = dicom_objects(report(source, default_methods()))
    return [dcmread(io.BytesIO(file)) for file in files]


def with_bytes(source: Dataset, keyword: str, value: bytes, vr: str) -> Dataset:
    """Put any bytes into an attribute, as a file could hold them."""
    tag = Tag(keyword)
    source[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return source


def only(*keywords: str) -> Dataset:
    full, kept = header(), Dataset()
    for keyword in keywords:
        kept[keyword] = full[keyword]
    return reread_without_pixels(kept)


def reread_without_pixels(kept: Dataset) -> Dataset:
    kept.PixelData = b"\0\0"
    kept["PixelData"].VR = "OW"
    kept.file_meta = header().file_meta
    return reread(kept)


def other_id(**attributes: str) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def test_patient_and_study_are_those_of_the_image_in_every_object() -> None:
    extra = {keyword: COPIED[keyword] for keyword in ("IssuerOfPatientID", "PatientBirthTime", "TimezoneOffsetFromUTC")}
    objects = answered(header(**extra))
    assert len(objects) == 3
    for made in objects:
        assert {keyword: str(made[keyword].value) for keyword in COPIED} == COPIED


def test_nothing_else_of_the_patient_or_the_hospital_is_copied() -> None:
    for made in answered(header(PatientAge="044Y", EthnicGroup="x", PatientComments="x", OtherPatientIDs="x")):
        text = str(made)
        assert {"PatientAge", "EthnicGroup", "PatientComments", "OtherPatientIDs"}.isdisjoint(made.dir())
        assert "SMITH" not in text and "Saint Elsewhere" not in text and "Test Imaging" not in text


def test_other_identifiers_of_the_patient_are_copied_with_their_type_alone() -> None:
    whole = other_id(PatientID="X1", IssuerOfPatientID="Elsewhere", TypeOfPatientID="TEXT")
    items = [whole, other_id(PatientID="X2"), other_id(PatientID="X3", TypeOfPatientID="SMELL")]
    for made in answered(header(OtherPatientIDsSequence=items)):
        (copied,) = made.OtherPatientIDsSequence
        assert copied == whole


def test_a_broken_sequence_of_other_identifiers_is_left_out() -> None:
    source = with_bytes(header(), "OtherPatientIDsSequence", b"\xfe\xff\x00\xe0\xff\x00\x00\x00\x01", "SQ")
    assert all("OtherPatientIDsSequence" not in made for made in answered(source))


@pytest.mark.parametrize("missing", IDENTIFIERS)
@pytest.mark.parametrize(
    "value", [None, "", "JANE", "1.2.x", "1" * 65, "1." * 33 + "1", "2.25.47110.02", "3.1.2", "2", "1.2\\1.3"]
)
def test_an_image_without_identifiers_cannot_be_referred_to(missing: str, value: str | None) -> None:
    source = header()
    del source[missing]
    if value is not None:
        with_bytes(source, missing, value.encode(), "UI")
    with pytest.raises(NotAcceptable, match=missing) as refused:
        dicom_objects(report(source))
    assert not value or value not in str(refused.value)


def test_an_object_that_is_no_image_cannot_be_referred_to() -> None:
    source = header()
    source.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"  # Comprehensive 3D SR
    with pytest.raises(NotAcceptable, match="SOPClassUID"):
        read_source(source)


def test_every_standard_class_of_images_can_be_answered() -> None:
    classes = [uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and "Image" in name]
    source, answered_classes = header(), set()
    for class_uid in classes:
        source.SOPClassUID = class_uid
        with contextlib.suppress(NotAcceptable):
            read_source(source)
            dicom_objects(report(source, default_methods(), outlined=True))
            answered_classes.add(class_uid)
    assert len(answered_classes) > 50
    assert {str(each) for each in RADIOGRAPHS} <= answered_classes


@pytest.mark.parametrize("keyword", TYPE_2)
def test_what_is_missing_becomes_empty_where_it_has_to_be_there(keyword: str) -> None:
    for made in answered(header(**{keyword: None})):
        assert keyword in made and not made[keyword].value


def test_the_identifiers_of_an_image_are_all_that_is_needed() -> None:
    for made in answered(only(*IDENTIFIERS)):
        assert [made[keyword].value for keyword in TYPE_2] == [
            "" if k.endswith("Name") else None for k in TYPE_2
        ] or all(not made[keyword].value for keyword in TYPE_2)
        assert (made.ContentDate, made.ContentTime) == ("19000101", "000000")
        assert "SpecificCharacterSet" not in made


INVALID: tuple[tuple[str, str, Any], ...] = (
    ("PatientBirthDate", "DA", b"1980.01.02"),
    ("PatientBirthDate", "DA", b"20241399"),
    ("StudyDate", "DA", b"00000000"),
    ("PatientName", "PN", b"DOE^JANE\\ROE"),
    ("PatientName", "PN", b"A" * 65),
    ("PatientName", "PN", b"A=B=C=D"),
    ("AccessionNumber", "SH", b"1" * 17),
    ("AccessionNumber", "SH", b"A\\B"),
    ("AccessionNumber", "SH", b"A\x1bB"),
    ("ReferringPhysicianName", "PN", b"ROE\x07"),
    ("PatientSex", "CS", b"FEMALE"),
    ("StudyTime", "TM", b"10:15:00"),
    ("StudyID", "SH", b"A\x01B"),
    ("PatientID", "SQ", b""),
)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"), INVALID, ids=[f"{keyword} {place}" for place, (keyword, _, _) in enumerate(INVALID)]
)
def test_what_is_no_value_of_its_kind_is_left_empty(keyword: str, vr: str, value: bytes, tmp_path: Path) -> None:
    source = with_bytes(header(), keyword, value, vr)
    for file in dicom_objects(report(source, default_methods())):
        made = dcmread(io.BytesIO(file))
        assert keyword in made and not made[keyword].value
        assert not [line for line in dciodvfy(tmp_path, file) if line.startswith("Error")]


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("StudyDescription", "LO", b"1" * 65),
        ("StudyDescription", "LO", b"a\\b"),
        ("IssuerOfPatientID", "LO", b"a\x00b"),
        ("PatientBirthTime", "TM", b"2460"),
        ("TimezoneOffsetFromUTC", "SH", b"+1430"),
        ("TimezoneOffsetFromUTC", "SH", b"-1230"),
        ("TimezoneOffsetFromUTC", "SH", b"+9999"),
    ],
)
def test_what_need_not_be_there_is_left_out_where_it_is_no_value_of_its_kind(
    keyword: str, vr: str, value: bytes
) -> None:
    for made in answered(with_bytes(header(), keyword, value, vr)):
        assert keyword not in made


@pytest.mark.parametrize("offset", ["-1200", "-0930", "+0000", "+0545", "+1400"])
def test_offsets_from_universal_time_are_copied(offset: str) -> None:
    for made in answered(header(TimezoneOffsetFromUTC=offset)):
        assert made.TimezoneOffsetFromUTC == offset


@pytest.mark.parametrize(
    ("value", "vr"), [(b"1" * 65, "LO"), (b"A\\B", "LO"), (b"A\x07B", "LO"), (b"A\x1bB", "LO"), (b"AB", "OB")]
)
def test_a_patient_whose_identifier_cannot_be_copied_is_not_answered_for_nobody(value: bytes, vr: str) -> None:
    with pytest.raises(NotAcceptable, match="PatientID") as refused:
        dicom_objects(report(with_bytes(header(), "PatientID", value, vr)))
    assert value.decode() not in str(refused.value)
    assert "Send " in str(refused.value) and "application/json" in str(refused.value)


@pytest.mark.parametrize("value", [b"", b"  ", b"\0\0"])
def test_a_patient_without_identifier_stays_without(value: bytes) -> None:
    assert all(not made.PatientID for made in answered(with_bytes(header(), "PatientID", value, "LO")))


def test_characters_are_counted_and_not_bytes() -> None:
    cyrillic = "Константин" * 6
    source = with_bytes(header(), "PatientName", cyrillic.encode(), "PN")
    for made in answered(with_bytes(source, "SpecificCharacterSet", b"ISO_IR 192", "CS")):
        assert str(made.PatientName) == cyrillic  # 60 letters, 120 bytes
    longer = with_bytes(source, "PatientName", (cyrillic + cyrillic[:5]).encode(), "PN")
    assert all(not made.PatientName for made in answered(longer))


CHINESE = "俓".encode("gb18030")
JAPANESE = b"\x1b$B" + bytes(byte & 0x7F for byte in "倍".encode("euc_jp")) + b"\x1b(B"  # JIS X 0208 in seven bits


@pytest.mark.parametrize(
    ("declared", "value"),
    [(b"GB18030", CHINESE), (b"\\ISO 2022 IR 87", JAPANESE)],
    ids=["Chinese", "Japanese"],
)
def test_a_backslash_that_is_half_a_letter_delimits_nothing(declared: bytes, value: bytes) -> None:
    assert b"\\" in value
    source = with_bytes(header(), "StudyDescription", value, "LO")
    for file in dicom_objects(report(with_bytes(source, "SpecificCharacterSet", declared, "CS"), default_methods())):
        assert value in file


def test_a_character_set_that_is_a_name_is_neither_copied_nor_printed() -> None:
    """Warnings are errors in tests, and pydicom's would repeat it."""
    ids = [other_id(PatientID="X1", TypeOfPatientID="TEXT")]
    source = with_bytes(header(OtherPatientIDsSequence=ids), "SpecificCharacterSet", b"DOE^JOHN", "CS")
    for file in dicom_objects(report(source, default_methods())):
        assert b"DOE^JOHN" not in file and b"X1" in file


NAMES = [path for path in get_charset_files("chr*.dcm") if "SQ" not in path]


@pytest.mark.parametrize("path", NAMES, ids=lambda path: path.split("/")[-1])
def test_names_survive_in_every_character_set(path: str) -> None:
    source = dcmread(path)
    name = str(source.PatientName)
    declared = source.get("SpecificCharacterSet")
    for keyword in IDENTIFIERS:
        setattr(source, keyword, header()[keyword].value)
    for made in answered(source):
        assert str(made.PatientName) == name
        assert made.get("SpecificCharacterSet") == declared


@pytest.mark.parametrize(
    ("value", "read_as", "name"),
    [
        ("Müller".encode("latin-1"), "ISO_IR 100", "Müller"),
        ("Müller".encode(), "ISO_IR 192", "Müller"),
        (b"Miller", None, "Miller"),
    ],
)
@pytest.mark.parametrize("declared", [b"", b"KLINGON ", b"ISO_IR 192\\ISO 2022 IR 87"])
def test_without_a_known_character_set_it_is_told_by_the_bytes(
    value: bytes, read_as: str | None, name: str, declared: bytes
) -> None:
    source = with_bytes(header(), "PatientID", value, "LO")
    with_bytes(source, "SpecificCharacterSet", declared, "CS")
    for made in answered(source):
        assert made.get("SpecificCharacterSet") == read_as
        assert made.PatientID == name


def test_a_set_that_text_cannot_begin_in_gets_ascii_before_it() -> None:
    source = with_bytes(header(), "PatientName", b"Yamada=\x1b$B;3ED\x1b(B", "PN")
    for made in answered(with_bytes(source, "SpecificCharacterSet", b"ISO 2022 IR 87", "CS")):
        assert list(made.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]
        assert str(made.PatientName) == "Yamada=山田"


def test_values_that_were_decoded_before_are_copied_all_the_same() -> None:
    source = dcmread(get_charset_files("chrH31.dcm")[0])
    for keyword in IDENTIFIERS:
        setattr(source, keyword, header()[keyword].value)
    raw = [made.PatientName for made in answered(source)]
    source.decode()
    assert [made.PatientName for made in answered(source)] == raw
    assert "山田" in str(raw[0])


MOMENTS = [
    ({}, ("20240305", "101630")),
    ({"AcquisitionDateTime": "20240304091011.5+0100"}, ("20240304", "091011.5")),
    ({"AcquisitionDateTime": "20240304091011.5+0100", "TimezoneOffsetFromUTC": "+0100"}, ("20240304", "091011.5")),
    ({"AcquisitionDateTime": "20240304091011.5-0500", "TimezoneOffsetFromUTC": "+0100"}, ("20240305", "101630")),
    ({"AcquisitionDateTime": "20240304091011.5", "TimezoneOffsetFromUTC": "+0100"}, ("20240304", "091011.5")),
    ({"AcquisitionDateTime": "20240304"}, ("20240304", "000000")),
    ({"AcquisitionDateTime": "2024", "AcquisitionTime": None}, ("20240305", "000000")),
    ({"AcquisitionDate": None}, ("20240305", "101632")),
    ({"AcquisitionDate": None, "ContentDate": None, "SeriesDate": "20240306", "SeriesTime": "07"}, ("20240306", "07")),
    ({"AcquisitionDate": None, "ContentDate": None}, ("20240305", "101500")),
    ({"AcquisitionDate": None, "ContentDate": None, "StudyDate": None}, ("19000101", "000000")),
]


@pytest.mark.parametrize(("attributes", "expected"), MOMENTS)
def test_dates_come_from_the_image(attributes: dict[str, Any], expected: tuple[str, str]) -> None:
    for made in answered(header(**attributes)):
        assert (made.ContentDate, made.ContentTime) == expected


def test_dates_that_nobody_knows_are_left_out() -> None:
    moments = ("InstanceCreation", "Series", "Acquisition")
    unknown = {f"{moment}{what}" for moment in moments for what in ("Date", "Time")}
    for made in answered(header()):
        assert not (unknown | {"DateOfSecondaryCapture", "TimeOfSecondaryCapture"}) & {*made.dir()}


def test_a_day_that_the_calendar_does_not_have_is_passed_over() -> None:
    source = with_bytes(header(), "AcquisitionDate", b"20240231", "DA")
    assert read_source(source).time == "101632"


def test_nothing_that_is_printed_of_a_source_names_the_patient() -> None:
    printed = repr(read_source(header()))
    assert "DOE" not in printed and "MRN-4711" not in printed


KEYWORDS = (*COPIED, "SpecificCharacterSet", "PatientOrientation", "AcquisitionDateTime", "BodyPartExamined")
VALUES = strategies.binary(max_size=12) | strategies.sampled_from(
    [b"\\", b"ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"\x1b$B;3ED\x1b(B", b"20240230", b"\xff\xfe", b"L\\F", b"1" * 70]
)
VRS = strategies.sampled_from(["LO", "PN", "UN", "DA", "SQ", "OB", "US", "DS"])


@settings(max_examples=25, deadline=None)
@given(values=strategies.dictionaries(strategies.sampled_from(KEYWORDS), strategies.tuples(VALUES, VRS), min_size=1))
def test_no_bytes_in_a_header_stop_the_answer_from_being_written_and_read(
    values: dict[str, tuple[bytes, str]],
) -> None:
    source = header()
    for keyword, (value, vr) in values.items():
        if keyword != "StudyInstanceUID":
            with_bytes(source, keyword, value, vr)
    if "PatientID" in values:
        with contextlib.suppress(NotAcceptable):
            read_source(source)
        del source["PatientID"]
    for file in dicom_objects(report(source)):
        assert dcmread(io.BytesIO(file)).StudyInstanceUID == COPIED["StudyInstanceUID"]
