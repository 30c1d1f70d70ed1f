"""Decoding against pixels written by hand."""

import contextlib
import io
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from api.errors import GatewayError, ImageTooLarge, UndecodableImage, UnsupportedMediaType
from api.imaging.damage import refusing_damage
from api.imaging.decode import decode
from tests.images import encode, encode_png, grey, png_file

LIMIT = 50_000_000
GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6


def ramp(maximum: int) -> NDArray[np.uint16]:
    return np.linspace(0, maximum, 12).astype(np.uint16).reshape(3, 4)


def with_channels(levels: NDArray[np.uint16], *channels: int) -> NDArray[np.uint16]:
    """Append channels of constant value to copies of the levels: -1 stands for the levels themselves."""
    return np.stack([levels if c < 0 else np.full_like(levels, c) for c in channels], axis=-1)


def test_grey_png_keeps_its_pixels() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    radiograph = decode(encode_png(pixels, GREY, 8), max_pixels=LIMIT)
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert (radiograph.format, radiograph.bit_depth, radiograph.width, radiograph.height) == ("png", 8, 4, 3)


def test_grey_jpeg_keeps_its_pixels_within_compression_loss() -> None:
    pixels = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    radiograph = decode(encode(pixels, "jpeg"), max_pixels=LIMIT)
    assert np.abs(radiograph.pixels.astype(int) - pixels).max() <= 2
    assert (radiograph.format, radiograph.bit_depth) == ("jpeg", 8)


@pytest.mark.parametrize(("maximum", "shift"), [(255, 0), (1000, 2), (4095, 4), (4096, 5), (65535, 8), (0, 0)])
@pytest.mark.parametrize("colour", [GREY, RGB, GREY_ALPHA, RGBA])
def test_16_bit_is_scaled_by_the_smallest_power_of_two_above_its_maximum(maximum: int, shift: int, colour: int) -> None:
    levels = ramp(maximum)
    channels = {GREY: (-1,), RGB: (-1, -1, -1), GREY_ALPHA: (-1, 65535), RGBA: (-1, -1, -1, 65535)}[colour]
    pixels = levels if colour == GREY else with_channels(levels, *channels)
    radiograph = decode(encode_png(pixels, colour, 16), max_pixels=LIMIT)
    np.testing.assert_array_equal(radiograph.pixels, levels // 2**shift)
    assert radiograph.bit_depth == 16


def test_colour_becomes_luma_at_8_and_at_16_bits() -> None:
    red, green, blue = 200, 100, 50
    expected = round(0.299 * red + 0.587 * green + 0.114 * blue)
    pixel = np.array([[[red, green, blue]]], dtype=np.uint16)
    eight = decode(encode_png(pixel, RGB, 8), max_pixels=LIMIT)
    sixteen = decode(encode_png(np.concatenate([pixel * 256, pixel * 0 + 65535], axis=1), RGB, 16), max_pixels=LIMIT)
    assert eight.pixels[0, 0] == expected
    assert sixteen.pixels[0, 0] == expected


def test_alpha_is_composited_over_black() -> None:
    pixels = np.array([[[200, 255], [200, 128], [200, 0]]], dtype=np.uint16)
    eight = decode(encode_png(pixels, GREY_ALPHA, 8), max_pixels=LIMIT).pixels[0]
    np.testing.assert_allclose(eight, [200, 200 * 128 / 255, 0], atol=1)
    sixteen = decode(encode_png(pixels * 257, GREY_ALPHA, 16), max_pixels=LIMIT).pixels[0]
    np.testing.assert_allclose(sixteen, [200, 200 * 128 / 255, 0], atol=1)


def test_palette_is_looked_up() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode=None).convert("P")
    image.putpalette([10, 10, 10, 90, 90, 90, 250, 250, 250])
    buffer = io.BytesIO()
    image.save(buffer, "png")
    np.testing.assert_array_equal(decode(buffer.getvalue(), max_pixels=LIMIT).pixels, [[10, 90, 250]])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[1, 2], [3, 4], [5, 6]]),
        (3, [[6, 5], [4, 3], [2, 1]]),
        (6, [[5, 3, 1], [6, 4, 2]]),
        (8, [[2, 4, 6], [1, 3, 5]]),
    ],
)
def test_exif_orientation_is_honoured(orientation: int, expected: list[list[int]]) -> None:
    image = Image.fromarray(np.array([[1, 2], [3, 4], [5, 6]], dtype=np.uint8) * 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "png", exif=exif)
    np.testing.assert_array_equal(decode(buffer.getvalue(), max_pixels=LIMIT).pixels, np.array(expected) * 40)


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated_files_are_refused_wherever_they_end(image_format: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    data = encode(noise, image_format)
    with pytest.raises(UndecodableImage):
        decode(data[: max(9, int(len(data) * kept))], max_pixels=LIMIT)


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_a_missing_end_is_refused(image_format: str) -> None:
    data = encode(grey(7), image_format)
    with pytest.raises(UndecodableImage):
        decode(data[: -12 if image_format == "png" else -2], max_pixels=LIMIT)


def test_a_flipped_bit_in_a_png_is_refused() -> None:
    data = bytearray(encode(grey(7)))
    data[len(data) // 2] ^= 1
    with pytest.raises(UndecodableImage):
        decode(bytes(data), max_pixels=LIMIT)


def test_zero_size_is_refused() -> None:
    with pytest.raises(UndecodableImage):
        decode(png_file(0, 10, 8, GREY, zlib.compress(b"")), max_pixels=LIMIT)


def test_several_frames_are_refused() -> None:
    frames = [Image.fromarray(grey(level)) for level in (1, 2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "png", save_all=True, append_images=frames[1:])
    with pytest.raises(UndecodableImage, match="several frames"):
        decode(buffer.getvalue(), max_pixels=LIMIT)


@pytest.mark.parametrize(("columns", "rows"), [(30000, 30000), (2**31 - 1, 2**31 - 1), (11, 10)])
def test_the_claimed_size_is_checked_before_pixels_are_decoded(columns: int, rows: int) -> None:
    # The compressed pixels are missing altogether: only the header can have been read.
    with pytest.raises(ImageTooLarge):
        decode(png_file(columns, rows, 8, GREY, b""), max_pixels=100)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a" + b"\0" * 50, b"\0" * 128 + b"DICO", b"%PDF-1.7"])
def test_other_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(data, max_pixels=LIMIT)


def test_messages_hold_nothing_of_the_file() -> None:
    comment = b"PATIENT^NAME"
    data = encode(grey(3), "jpeg")
    damaged = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:200]
    with pytest.raises(UndecodableImage) as caught:
        decode(damaged, max_pixels=LIMIT)
    assert "PATIENT" not in str(caught.value)


@pytest.mark.parametrize("data", [encode(grey(7)), encode(grey(7), "jpeg")], ids=["png", "jpeg"])
def test_the_processs_warning_filters_are_left_alone(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_args: object, **_options: object) -> None:
        raise RuntimeError("warnings.catch_warnings is not safe in worker threads")

    with monkeypatch.context() as patched:
        patched.setattr(warnings, "catch_warnings", forbidden)
        pixels = decode(data, max_pixels=LIMIT).pixels
    assert np.abs(pixels.astype(int) - 7).max() <= 1


def test_a_large_image_within_the_limit_raises_no_warning() -> None:
    """Pillow warns above 89 megapixels; pytest makes that an error."""
    rows = zlib.compress(bytes(10_000 // 8 + 1) * 10_000)
    assert decode(png_file(10_000, 10_000, 1, GREY, rows), max_pixels=10**8).pixels.shape == (10_000, 10_000)


@given(st.sampled_from(["png", "jpeg"]), st.lists(st.tuples(st.integers(8, 10_000), st.integers(0, 255)), max_size=6))
def test_damage_of_any_kind_ends_in_the_error_tree(image_format: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(encode(np.arange(192, dtype=np.uint8).reshape(12, 16), image_format))
    for place, value in changes:
        data[8 + place % (len(data) - 8)] = value
    with contextlib.suppress(GatewayError):
        assert decode(bytes(data), max_pixels=LIMIT).pixels.ndim == 2


@pytest.mark.parametrize("raised", [AssertionError, RuntimeError, KeyError])
def test_a_decoders_own_exceptions_do_not_escape(raised: type[Exception]) -> None:
    with pytest.raises(UndecodableImage, match="PNG file is truncated"), refusing_damage("png"):
        raise raised("PATIENT^NAME")


def test_memory_that_runs_out_is_not_the_files_fault() -> None:
    with pytest.raises(MemoryError), refusing_damage("jpeg"):
        raise MemoryError
