"""JPEG files: whole ones against Pillow's decoder, which the models were trained through; damaged ones refused."""

import io
import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.errors import ImageTooLarge, UndecodableImage
from api.imaging.decode import decode
from tests.images import grey
from tests.jpeg_bytes import BASELINE, EXTENDED, LOSSLESS, progressive, sequential

LIMIT = 50_000_000
SAMPLES = sorted((Path(__file__).parents[2] / "data" / "samples").glob("*.jpeg"))
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
KINDS: list[dict[str, Any]] = [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}]


def smooth(rows: int = 96, columns: int = 120) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (rows // 8, columns // 8), dtype=np.uint8)
    return Image.fromarray(noise).resize((columns, rows), Image.Resampling.BICUBIC)


def stored(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", **options)
    return buffer.getvalue()


def through_pillow(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    return data[:2] + segment(marker, content) + data[2:]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_radiographs_are_decoded_as_in_training(path: Path) -> None:
    data = path.read_bytes()
    np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, through_pillow(data))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", KINDS)
def test_every_kind_of_grey_is_decoded_exactly(options: dict[str, Any], mode: str) -> None:
    data = stored(smooth().convert(mode), **options)
    np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, through_pillow(data))


@pytest.mark.parametrize(("mode", "options"), [("RGB", {}), ("RGB", {"keep_rgb": True}), ("CMYK", {})])
def test_colour_becomes_luma(mode: str, options: dict[str, Any]) -> None:
    data = stored(Image.new("RGB", (32, 32), (200, 100, 50)).convert(mode), quality=95, **options)
    np.testing.assert_allclose(decode(data, max_pixels=LIMIT).pixels, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=1)


def test_cmyk_is_not_inverted_with_or_without_adobes_marker() -> None:
    data = stored(smooth().convert("RGB").convert("CMYK"))
    start = data.index(b"\xff\xee")
    plain = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]
    for file in (data, plain):
        np.testing.assert_allclose(decode(file, max_pixels=LIMIT).pixels, through_pillow(file), atol=2)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", KINDS)
def test_a_file_cut_anywhere_is_refused_even_with_an_end(options: dict[str, Any], mode: str) -> None:
    data = stored(smooth().convert(mode), **options)
    for kept in range(2, len(data) - 2):
        with pytest.raises(UndecodableImage):
            decode(data[:kept] + END_OF_IMAGE, max_pixels=LIMIT)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_radiograph_without_its_middle_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for start, end in ((0.3, 0.6), (0.5, 0.9), (0.2, 0.5)):
        with pytest.raises(UndecodableImage):
            decode(data[: int(len(data) * start)] + data[int(len(data) * end) :], max_pixels=LIMIT)


@pytest.mark.parametrize("trailer", [b"junk", START_OF_SCAN + b"\0junk", b"\0" * 4096])
def test_what_follows_the_image_does_not_matter(trailer: bytes) -> None:
    data = stored(smooth())
    np.testing.assert_array_equal(decode(data + trailer, max_pixels=LIMIT).pixels, through_pillow(data))


def test_oddities_of_the_header_that_spare_the_pixels_are_forgiven() -> None:
    data = stored(smooth())
    start = data.index(b"\xff\xdb")
    stray = data[:start] + b"\0\0\xff\xff" + data[start:]
    future = data.replace(b"JFIF\0\x01\x01", b"JFIF\0\x03\x01")
    for odd in (
        stray,
        future,
        with_segment(data, 0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        with_segment(data, 0xE2, b"MPF\0"),
    ):
        np.testing.assert_array_equal(decode(odd, max_pixels=LIMIT).pixels, through_pillow(data))


def test_scans_apart_and_progressive_ones_are_decoded() -> None:
    apart = sequential(BASELINE, 8, 40, scans=[(1,), (2,), (3,)], components=3)
    for data in (apart, progressive(40), progressive(40, twice=36)):
        np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, through_pillow(data))


def test_scans_that_repeat_one_another_are_refused() -> None:
    for data in (
        sequential(BASELINE, 8, 40, scans=[(1,), (1,)]),
        progressive(40, repeated=1),
        progressive(40, twice=37),
    ):
        with pytest.raises(UndecodableImage, match="Received"):
            decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (sequential(EXTENDED, 12, 40), "frame header C1, 12 bits"),
        (sequential(LOSSLESS, 8, 40), "frame header C3, 8 bits"),
        (sequential(0xC9, 8, 40), "frame header C9, 8 bits"),
    ],
    ids=["12 bits", "lossless", "arithmetic"],
)
def test_a_jpeg_of_another_process_is_refused_by_name(data: bytes, told: str) -> None:
    with pytest.raises(UndecodableImage, match=f"Received: {told}"):
        decode(data, max_pixels=LIMIT)


def test_several_pictures_are_refused() -> None:
    buffer = io.BytesIO()
    smooth().save(buffer, "MPO", save_all=True, append_images=[smooth()])
    with pytest.raises(UndecodableImage, match="several frames"):
        decode(buffer.getvalue(), max_pixels=LIMIT)


@pytest.mark.parametrize(("columns", "rows"), [(10_001, 10_000), (65_535, 65_535)])
def test_the_claimed_size_is_checked_before_pixels_are_decoded(columns: int, rows: int) -> None:
    frame = struct.pack(">BHHB", 8, rows, columns, 1) + b"\1\x11\0"
    with pytest.raises(ImageTooLarge):
        decode(b"\xff\xd8" + segment(0xC0, frame) + START_OF_SCAN, max_pixels=10**8)


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_honoured_in_both_byte_orders(orientation: int, order: str) -> None:
    image = smooth(16, 24)
    exif = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, 1)
    exif += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0" * 4
    data = with_segment(stored(image), 0xE1, b"Exif\0\0" + exif)
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # values of Image.Transpose
    upright = Image.fromarray(through_pillow(data))
    if orientation in turn:
        upright = upright.transpose(Image.Transpose(turn[orientation]))
    np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, np.asarray(upright))


def test_names_in_exif_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    exif = Image.Exif()
    exif[270], exif[0x0112] = "DOE^JANE", 6
    with caplog.at_level(logging.DEBUG):
        buffer = io.BytesIO()
        Image.fromarray(grey(7)).save(buffer, "jpeg", exif=exif)
        caplog.clear()
        decode(buffer.getvalue(), max_pixels=LIMIT)
    assert caplog.text == ""
