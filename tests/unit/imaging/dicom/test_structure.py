"""The walk through a file's elements, against elements written by hand and against pydicom's parser."""

import struct
import warnings
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_files

from api.errors import UndecodableImage
from api.imaging.dicom.file import read_file
from api.imaging.dicom.structure import MAX_DEPTH, MAX_ELEMENTS, Element, Encoding, Structure
from tests.dicom.elements import element

EXPLICIT, IMPLICIT, BIG = Encoding(True, True), Encoding(False, True), Encoding(True, False)
UNDEFINED = 2**32 - 1
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
MODALITY = element(0x0008, 0x0060, "CS", b"DX")
# Not readable by pydicom or by design: cut off, or without the transfer syntax that says how to read them.
NOT_WHOLE = {"MR_truncated.dcm", "rtplan_truncated.dcm", "DICOMDIR-nooffset", "meta_missing_tsyntax.dcm"}
WHOLE_FILES = [
    path
    for path in map(Path, get_testdata_files())
    if path.is_file() and path.read_bytes()[128:132] == b"DICM" and path.name not in NOT_WHOLE
]


def item(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


def sequence(content: bytes, length: int | None = None) -> bytes:
    return element(0x0008, 0x2218, "SQ", content, length)


def elements(data: bytes, encoding: Encoding = EXPLICIT) -> list[Element]:
    return list(Structure(memoryview(data)).elements(0, encoding))


def found(data: bytes, encoding: Encoding = EXPLICIT) -> list[tuple[int, str | None, bytes]]:
    return [(each.tag, each.vr, bytes(each.value)) for each in elements(data, encoding)]


def test_elements_are_found_with_and_without_their_vr() -> None:
    explicit = MODALITY + element(0x0028, 0x3006, "OW", b"\1\2\3\4")
    assert found(explicit) == [(0x00080060, "CS", b"DX"), (0x00283006, "OW", b"\1\2\3\4")]
    implicit = struct.pack("<HHI2sHHI4s", 0x0008, 0x0060, 2, b"DX", 0x0028, 0x3006, 4, b"\1\2\3\4")
    assert found(implicit, IMPLICIT) == [(0x00080060, None, b"DX"), (0x00283006, None, b"\1\2\3\4")]
    assert found(struct.pack(">HH2sH2s", 0x0008, 0x0060, b"CS", 2, b"DX"), BIG) == [(0x00080060, "CS", b"DX")]


def test_elements_end_where_another_group_begins() -> None:
    meta = element(0x0002, 0x0010, "UI", b"1.2\0")
    walk = Structure(memoryview(meta + MODALITY)).elements(0, EXPLICIT, 0x0002)
    assert [each.tag for each in walk] == [0x00020010]


def test_elements_end_with_the_pixels() -> None:
    pixels = element(0x7FE0, 0x0010, "OW", b"\0\1")
    assert [tag for tag, _, _ in found(MODALITY + pixels + b"what follows is no element")] == [0x00080060, 0x7FE00010]


@pytest.mark.parametrize(
    "data",
    [
        sequence(item(MODALITY) + item(b"")),
        sequence(item(MODALITY + ITEM_END, UNDEFINED) + item(ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
        sequence(item(MODALITY) + item(ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
    ],
    ids=["of defined length", "of undefined length", "of both"],
)
def test_items_of_a_sequence_are_found(data: bytes) -> None:
    whole, after = elements(data + MODALITY)
    assert after.tag == 0x00080060
    items = [[(each.tag, bytes(each.value)) for each in content] for content in Structure(whole.value).items(EXPLICIT)]
    assert items == [[(0x00080060, b"DX")], []]


def test_items_without_vr_are_read_in_a_file_with_vr() -> None:
    implicit = struct.pack("<HHI2s", 0x0008, 0x0060, 2, b"DX")
    (whole,) = elements(sequence(item(implicit)))
    (content,) = Structure(whole.value).items(whole.encoding)
    assert [(each.tag, each.vr, bytes(each.value)) for each in content] == [(0x00080060, None, b"DX")]


def test_fragments_are_found_without_the_offset_table() -> None:
    fragments = item(b"\0\0\0\0") + item(b"first ") + item(b"second") + SEQUENCE_END
    (pixels,) = elements(element(0x7FE0, 0x0010, "OB", fragments, UNDEFINED))
    assert pixels.fragments is not None
    assert [bytes(fragment) for fragment in pixels.fragments] == [b"first ", b"second"]


@pytest.mark.parametrize(
    "data",
    [
        MODALITY + element(0x0028, 0x3006, "OW", b"\1\2\3\4"),
        sequence(item(MODALITY) + item(MODALITY)),
        sequence(item(MODALITY + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
        element(0x7FE0, 0x0010, "OB", item(b"") + item(b"coded!") + SEQUENCE_END, UNDEFINED),
    ],
    ids=["elements", "sequence", "delimited sequence", "fragments"],
)
def test_what_is_cut_off_is_refused_wherever_it_ends(data: bytes) -> None:
    between = {each.end for each in elements(data)}
    for end in range(1, len(data)):
        if end not in between:
            with pytest.raises(UndecodableImage):
                elements(data[:end])


@pytest.mark.parametrize(
    "data",
    [
        sequence(MODALITY),
        sequence(item(MODALITY, 1000)),
        sequence(item(MODALITY + ITEM_END)),
        ITEM_END,
        element(0x7FE0, 0x0010, "OB", MODALITY + SEQUENCE_END, UNDEFINED),
    ],
    ids=["no item", "item beyond its sequence", "stray end", "end of nothing", "no fragment"],
)
def test_what_is_out_of_place_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match="corrupt"):
        elements(data)


def nested(depth: int, *, delimited: bool) -> bytes:
    content = b""
    for _ in range(depth):
        content = (
            sequence(item(content + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED)
            if delimited
            else sequence(item(content))
        )
    return content


@pytest.mark.parametrize("delimited", [True, False])
def test_sequences_are_nested_as_deep_as_the_limit(delimited: bool) -> None:
    assert len(elements(nested(MAX_DEPTH, delimited=delimited))) == 1
    with pytest.raises(UndecodableImage, match="nested at most"):
        elements(nested(MAX_DEPTH + 1, delimited=delimited))


def test_sequences_hidden_as_unknown_count_too() -> None:
    hidden = nested(MAX_DEPTH + 1, delimited=False).replace(b"SQ", b"UN")
    with pytest.raises(UndecodableImage, match="nested at most"):
        elements(hidden)


@pytest.mark.parametrize(
    "many",
    [
        lambda count: MODALITY * count,
        lambda count: sequence(item(b"") * (count - 1)),
        lambda count: sequence(item(MODALITY * (count - 2))),
        lambda count: element(0x7FE0, 0x0010, "OB", item(b"") * (count - 2) + SEQUENCE_END, UNDEFINED),
    ],
    ids=["elements", "items", "elements in an item", "fragments"],
)
def test_elements_items_and_fragments_are_counted_together(many: object) -> None:
    assert callable(many)
    elements(many(MAX_ELEMENTS))
    with pytest.raises(UndecodableImage, match="at most 20000"):
        elements(many(MAX_ELEMENTS + 1))


@pytest.mark.parametrize("vr", ["UN", None])
def test_a_long_value_that_would_come_apart_is_refused(vr: str | None) -> None:
    names = b"A\\" * 40_000
    implicit = struct.pack("<HHI", 0x0010, 0x0020, len(names)) + names
    with pytest.raises(UndecodableImage):
        elements(element(0x0010, 0x0020, "UN", names) if vr else implicit, EXPLICIT if vr else IMPLICIT)


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UC", "UR", "UT"])
def test_bytes_and_free_text_may_be_long(vr: str) -> None:
    text = b"no list " * 10_000
    assert found(element(0x0009, 0x1001, "UN", text).replace(b"UN", vr.encode(), 1)) == [(0x00091001, vr, text)]


@pytest.mark.parametrize("tag", [(0x0020, 0x4000), (0x0008, 0x0081)], ids=["LT", "ST"])
def test_free_text_without_its_vr_may_be_long(tag: tuple[int, int]) -> None:
    text = b"no list " * 10_000
    (only,) = found(struct.pack("<HHI", *tag, len(text)) + text, IMPLICIT)
    assert only[2] == text


@pytest.mark.parametrize("path", WHOLE_FILES, ids=lambda path: path.name)
def test_the_header_is_that_of_pydicoms_parser(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = dcmread(path, stop_before_pixels=True)
        file = read_file(path.read_bytes(), max_pixels=10**6)
        if path.name == "waveform_ecg.dcm":
            del expected.WaveformSequence  # too long to be kept
        assert file.header == Dataset(expected)
        assert file.header.file_meta == expected.file_meta
