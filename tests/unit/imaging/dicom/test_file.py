"""The file around a data set: its header, its transfer syntax, and a deflated body."""

import zlib

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from api.errors import UndecodableImage, UnsupportedMediaType
from api.imaging.dicom.file import read_file
from tests.dicom.elements import body, element, file_with
from tests.dicom.files import dataset

SOUND = body(dataset(np.zeros((2, 3), np.uint8)))
PREAMBLE = bytes(128) + b"DICM"


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return file_with(deflater.compress(data) + deflater.flush(), DeflatedExplicitVRLittleEndian)


def test_a_file_is_split_into_header_and_pixels() -> None:
    file = read_file(file_with(SOUND), max_pixels=10)
    assert file.transfer_syntax == ExplicitVRLittleEndian
    assert file.header.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert file.header.Rows == 2
    assert file.pixel_data is not None
    assert (bytes(file.pixel_data.value), "PixelData" in file.header) == (bytes(6), False)


def test_a_file_without_pixels_is_a_header() -> None:
    assert read_file(file_with(body(dataset(np.zeros((2, 3), np.uint8), PixelData=None))), 10).pixel_data is None


def test_long_values_other_than_lookup_tables_do_not_stay_in_the_header() -> None:
    bulk = [element(0x0009, 0x1001, "OB", bytes(65538)), element(0x5400, 0x1010, "OW", bytes(65538))]
    kept = [element(0x0009, 0x1002, "OB", bytes(65536)), element(0x0028, 0x1201, "OW", bytes(131072))]
    header = read_file(file_with(b"".join((bulk[0], kept[0], kept[1], bulk[1])) + SOUND), max_pixels=10).header
    assert [tag in header for tag in (0x00091001, 0x54001010, 0x00091002, 0x00281201)] == [False, False, True, True]
    assert header.Rows == 2


def test_a_header_of_many_long_values_is_refused() -> None:
    many = b"".join(element(0x0009, 0x1000 + i, "OB", bytes(65536)) for i in range(256))
    assert read_file(file_with(many[len(many) // 256 :] + SOUND), max_pixels=10).header.Rows == 2
    with pytest.raises(UndecodableImage, match="at most 16777216 bytes"):
        read_file(file_with(many + SOUND), max_pixels=10)


def test_elements_with_their_vr_are_read_where_the_transfer_syntax_says_that_they_have_none() -> None:
    file = read_file(file_with(SOUND, ImplicitVRLittleEndian), max_pixels=10)
    assert (file.header.Rows, file.header.Columns) == (2, 3)
    assert file.pixel_data is not None
    assert file.pixel_data.vr == "OB"


def test_a_file_does_not_repeat_its_header() -> None:
    assert "DOE" not in repr(read_file(file_with(SOUND), max_pixels=10))


def test_a_file_header_needs_no_length() -> None:
    meta = element(0x0002, 0x0010, "UI", b"1.2.840.10008.1.2.1\0")
    assert read_file(PREAMBLE + meta + SOUND, max_pixels=10).header.Columns == 3


@pytest.mark.parametrize("data", [PREAMBLE, PREAMBLE + SOUND, PREAMBLE + element(0x0002, 0x0010, "UI", b"")])
def test_a_file_without_a_transfer_syntax_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        read_file(data, max_pixels=10)


def test_a_deflated_file_is_inflated_with_or_without_padding() -> None:
    for padding in (b"", b"\0"):
        assert read_file(deflated(SOUND) + padding, max_pixels=10).header.Rows == 2


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_deflated_file_that_is_cut_off_is_refused(kept: int) -> None:
    start = len(file_with(b"", DeflatedExplicitVRLittleEndian))
    data = deflated(SOUND)
    with pytest.raises(UndecodableImage):
        read_file(data[: kept if kept < 0 else start + kept], max_pixels=10)


def test_a_deflated_file_may_be_as_large_as_an_image_of_the_limit() -> None:
    limit = 2 * 100 + 2**20
    around = element(0x0007, 0x1001, "OB", b"") + SOUND
    largest = element(0x0007, 0x1001, "OB", bytes(limit - len(around))) + SOUND
    assert len(largest) == limit
    assert read_file(deflated(largest), max_pixels=100).header.Rows == 2
    with pytest.raises(UndecodableImage, match="at most 1048776 bytes"):
        read_file(deflated(element(0x0007, 0x1001, "OB", bytes(limit + 2 - len(around))) + SOUND), max_pixels=100)


def test_a_deflate_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = file_with(zlib.compress(bytes(100 * 2**20), 9)[2:-4], DeflatedExplicitVRLittleEndian)
    assert len(bomb) < 2**20
    with pytest.raises(UndecodableImage, match="at most 1048596 bytes"):
        read_file(bomb, max_pixels=10)


@pytest.mark.parametrize(
    ("syntax", "told"),
    [
        ("1.2.840.10008.1.2.4.94", r"JPIP Referenced \(1.2.840.10008.1.2.4.94\)"),
        ("1.2.840.10008.1.2.4.100", r"MPEG2 .* \(1.2.840.10008.1.2.4.100\)"),
        ("DOE^JANE", "another one"),
        ("1.2.3.1980.1.2", "another one"),
    ],
)
def test_a_transfer_syntax_is_named_only_if_it_is_one(syntax: str, told: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=f"Received: {told}"):
        read_file(file_with(SOUND, syntax), max_pixels=10)
