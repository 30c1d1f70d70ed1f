"""Headers of codestreams, written by hand, and those that encoders write."""

import struct

import imagecodecs
import numpy as np
import pytest

from api.errors import UndecodableImage
from api.imaging.dicom.codestream import Codestream, check_fits, read_jpeg, read_jpeg_2000
from api.imaging.dicom.image_pixel import ImagePixel
from api.imaging.jpeg_stream import BASELINE, EXTENDED, JPEG_LS, LOSSLESS
from tests.jpeg_bytes import sequential

LEVELS = np.random.default_rng(1).integers(0, 4096, (30, 41), dtype=np.uint16)
IMAGE = ImagePixel(30, 41, 1, "MONOCHROME2", 16, 12, 11, False, False)
COMMENT = b"\xff\xfe\0\x06\xff\xc0\xff\xc0"
FRAME = b"\xff\xc1" + struct.pack(">HBHHBBBB", 11, 12, 30, 41, 1, 1, 0x11, 0)
SCAN = b"\xff\xda\0\x08\1\1\0\0\0\0\1\2\3"
END = b"\xff\xd9"


def size_header(width: int, height: int, left: int = 0, top: int = 0, kinds: bytes = b"\x0b\1\1") -> bytes:
    sizes = struct.pack(">H8I", 0, left + width, top + height, left, top, width, height, 0, 0)
    return b"\xff\x4f\xff\x51\0\x29" + sizes + struct.pack(">H", len(kinds) // 3) + kinds


def test_the_frame_header_of_a_jpeg_is_read() -> None:
    data = b"\xff\xd8" + COMMENT + b"\xff" + FRAME + SCAN + END
    assert read_jpeg(data, (EXTENDED,)) == Codestream(data, 0xC1, 41, 30, 12, 1)


def test_the_headers_that_encoders_write_are_read() -> None:
    lossless = read_jpeg(bytes(imagecodecs.jpeg8_encode(LEVELS, lossless=True, bitspersample=12)), (LOSSLESS,))
    assert (lossless.process, lossless.width, lossless.height, lossless.precision) == (0xC3, 41, 30, 12)
    near = read_jpeg(bytes(imagecodecs.jpegls_encode(LEVELS)), (JPEG_LS,))
    assert (near.process, near.width, near.height, near.components) == (0xF7, 41, 30, 1)
    wavelets = read_jpeg_2000(bytes(imagecodecs.jpeg2k_encode(LEVELS, level=0, codecformat="J2K", bitspersample=12)))
    assert (wavelets.process, wavelets.width, wavelets.height, wavelets.precision) == (0, 41, 30, 12)
    packed = read_jpeg_2000(bytes(imagecodecs.jpeg2k_encode(LEVELS, level=0, codecformat="JP2", bitspersample=12)))
    assert (packed.width, packed.height, packed.precision, packed.components) == (41, 30, 12, 1)


def test_an_image_that_does_not_start_at_the_origin_is_as_wide_as_what_is_left() -> None:
    found = read_jpeg_2000(size_header(41, 30, left=7, top=9) + END)
    assert (found.width, found.height) == (41, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + END,
        FRAME + SCAN + END,
        b"\xff\xd8" + SCAN + FRAME + END,
        b"\xff\xd8" + FRAME + SCAN,
        b"\xff\xd8" + FRAME + SCAN + END + b"more",
        b"\xff\xd8" + FRAME[:6] + END,
        b"\xff\xd8" + b"\xff\xfe\xff\xff" + END,
        b"\xff\xd8" + b"\xff\xfe\0\0" * 9 + END,
    ],
)
def test_a_jpeg_without_start_header_or_end_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        read_jpeg(data, (EXTENDED,))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        size_header(41, 30),
        size_header(41, 30)[:30] + END,
        size_header(41, 30, kinds=b"") + END,
        size_header(41, 30, kinds=b"\x0b\1\1\x07\1\1") + END,
        size_header(41, 30, kinds=b"\x0b\2\1") + END,
        b"\0\0\0\x0cjP  \r\n\x87\n" + END,
        b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\0abcd" + END,
    ],
)
def test_a_jpeg_2000_without_header_or_end_or_with_odd_components_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        read_jpeg_2000(data)


def test_what_the_header_says_must_fit() -> None:
    check_fits(Codestream(b"", 0, 41, 30, 12, 1), IMAGE)
    check_fits(Codestream(b"", 0, 41, 30, 16, 1), IMAGE)
    for size in ((42, 30, 12, 1), (41, 60000, 12, 1), (41, 30, 12, 3), (41, 30, 17, 1), (-1, 30, 12, 1)):
        with pytest.raises(UndecodableImage, match="compressed image"):
            check_fits(Codestream(b"", 0, *size), IMAGE)


def test_a_jpeg_must_be_of_a_process_that_is_asked_for() -> None:
    data = b"\xff\xd8" + FRAME + SCAN + END
    assert read_jpeg(data, (BASELINE, EXTENDED)).process == EXTENDED
    for processes in ((BASELINE,), (LOSSLESS,), ()):
        with pytest.raises(UndecodableImage, match="Received: a JPEG frame header C1"):
            read_jpeg(data, processes)


def test_a_jpeg_must_be_one_image_whose_scans_are_whole() -> None:
    square = ImagePixel(32, 32, 1, "MONOCHROME2", 16, 12, 11, False, False)
    whole = sequential(EXTENDED, 12, 32)
    check_fits(read_jpeg(whole, (EXTENDED,)), square)
    for data, message in (
        (whole + whole, "several frames"),
        (whole[:-2] + END + b"more" + END, "corrupt"),
        (whole[:-3] + END, "corrupt"),
        (sequential(EXTENDED, 12, 32, scans=[(1,), (1,)]), "one scan"),
    ):
        with pytest.raises(UndecodableImage, match=message):
            check_fits(read_jpeg(data, (EXTENDED,)), square)
