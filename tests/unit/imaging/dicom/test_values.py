"""Values of single tags, whatever kind the file says they are."""

import struct
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from api.imaging.dicom.file import to_dataset
from api.imaging.dicom.structure import Encoding, Structure
from api.imaging.dicom.values import integers, items, numbers, text, texts, words
from tests.dicom.elements import element

TAG = 0x00280120


def of(vr: str, value: bytes) -> Dataset:
    data = memoryview(element(0x0028, 0x0120, vr, value))
    return to_dataset(Structure(data).elements(0, Encoding(True, True)))


def without_vr(value: bytes) -> Dataset:
    data = memoryview(struct.pack("<HHI", 0x0028, 0x0120, len(value)) + value)
    return to_dataset(Structure(data).elements(0, Encoding(False, True)))


def big_endian(vr: str, value: bytes) -> Dataset:
    element = RawDataElement(BaseTag(TAG), vr, len(value), value, 0, False, False)
    return Dataset({element.tag: element})


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("US", struct.pack("<2H", 7, 65535), (7, 65535)),
        ("SS", struct.pack("<h", -5), (-5,)),
        ("UL", struct.pack("<I", 70000), (70000,)),
        ("IS", b"12\\ 13 ", (12, 13)),
        ("DS", b"4.0\\1e2 ", (4, 100)),
        ("OW", struct.pack("<H", 9), (9,)),
        ("FD", struct.pack("<d", 2.0), (2,)),
        ("DS", b"4.5 ", ()),
        ("US", b"\1", ()),
        ("US", b"", ()),
        ("LO", b"DOE^JANE", ()),
        ("SQ", b"", ()),
    ],
)
def test_integers_are_read_in_any_form(vr: str, value: bytes, expected: tuple[int, ...]) -> None:
    assert integers(of(vr, value), TAG) == expected


@pytest.mark.parametrize(("signed", "expected"), [(False, 65535), (True, -1)])
def test_without_a_vr_integers_have_the_sign_that_is_expected(signed: bool, expected: int) -> None:
    assert integers(without_vr(b"\xff\xff"), TAG, signed=signed) == (expected,)
    assert integers(of("UN", b"\xff\xff"), TAG, signed=signed) == (expected,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1.5\\-2e3 ", (1.5, -2000)),
        (b"1.5\\ \\3 ", (1.5,)),
        (b"nan ", ()),
        (b"inf ", ()),
        (b"1e400 ", ()),
        (b"1e13", ()),
        (b"1,5 ", ()),
        (b"\xd9\xa1", ()),
        (b"", ()),
    ],
)
def test_numbers_end_before_what_is_none(value: bytes, expected: tuple[float, ...]) -> None:
    assert numbers(of("DS", value), TAG) == expected
    assert numbers(without_vr(value), TAG) == expected


def test_binary_numbers_end_before_what_is_none() -> None:
    assert numbers(of("FL", struct.pack("<3f", 0.5, float("nan"), 1)), TAG) == (0.5,)


@pytest.mark.parametrize(("vr", "expected"), [("OW", b"\2\1\4\3"), ("US", b"\2\1\4\3"), ("OB", b"\1\2\3\4")])
def test_words_are_given_in_little_endian_order(vr: str, expected: bytes) -> None:
    assert words(of(vr, b"\1\2\3\4"), TAG) == b"\1\2\3\4"
    assert words(big_endian(vr, b"\1\2\3\4"), TAG) == expected


def test_a_byte_that_is_no_word_stays_where_it_is() -> None:
    assert words(big_endian("OW", b"\1\2\3"), TAG) == b"\2\1\3"


def test_texts_are_split_and_stripped() -> None:
    assert texts(of("CS", b" A B\\C\0"), TAG) == ("A B", "C")
    assert texts(of("CS", b"  "), TAG) == ()
    assert text(of("CS", b"\\B"), TAG) == ""


def test_long_values_are_cut() -> None:
    assert len(text(of("UT", b"A" * 10**6), TAG)) == 1024
    assert len(integers(of("OW", bytes(10**6)), TAG)) == 512


def test_what_is_missing_is_empty() -> None:
    nothing: Any = Dataset()
    assert (texts(nothing, TAG), text(nothing, TAG), numbers(nothing, TAG), integers(nothing, TAG)) == ((), "", (), ())
    assert words(nothing, TAG) == b""
    assert list(items(nothing, TAG)) == []


def test_reading_a_value_leaves_it_unread_for_pydicom() -> None:
    header = of("US", b"")
    assert integers(header, TAG) == ()
    assert header.get_item(TAG, keep_deferred=True).is_raw
