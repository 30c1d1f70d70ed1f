"""PNG files written by hand in every colour type and depth: whole ones against their samples, damaged ones refused."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from api.errors import UndecodableImage
from api.imaging.decode import decode
from tests.images import encode_png, grey, png_file, png_of, scanlines

LIMIT = 50_000_000
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KINDS = [
    *[(GREY, depth) for depth in (1, 2, 4, 8, 16)],
    *[(PALETTE, depth) for depth in (1, 2, 4, 8)],
    *[(colour, depth) for colour in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)],
]


def samples(colour: int, depth: int) -> NDArray[np.uint16]:
    return np.random.default_rng(7).integers(0, 2**depth, (13, 21, CHANNELS[colour])).astype(np.uint16)


def palette(colour: int, depth: int) -> list[tuple[bytes, bytes]]:
    return [(b"PLTE", bytes(level for level in range(2**depth) for _ in range(3)))] if colour == PALETTE else []


def expected(pixels: NDArray[np.uint16], colour: int, depth: int) -> NDArray[np.float64]:
    """Grey levels by the textbook, in floating point."""
    values = pixels.astype(float)
    levels = values[..., :3] @ [0.299, 0.587, 0.114] if colour in (RGB, RGBA) else values[..., 0]
    if colour in (GREY_ALPHA, RGBA):
        levels = levels * values[..., -1] / (2**depth - 1)
    if colour == PALETTE:
        return levels
    return levels / 256 if depth == 16 else levels * 255 / (2**depth - 1)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_every_kind_is_decoded(colour: int, depth: int, interlaced: bool) -> None:
    pixels = samples(colour, depth)
    if depth == 16:
        pixels[0, 0] = 65535
    data = encode_png(pixels, colour, depth, *palette(colour, depth), interlaced=interlaced)
    radiograph = decode(data, max_pixels=LIMIT)
    np.testing.assert_allclose(radiograph.pixels, expected(pixels, colour, depth), atol=1)
    assert radiograph.bit_depth == depth


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_a_stream_with_too_few_rows_is_refused(colour: int, depth: int, interlaced: bool) -> None:
    pixels = samples(colour, depth)
    rows = scanlines(pixels, depth, interlaced)
    # Pillow takes a stream that ends with a row; with interlacing that is, for example, the end of the first pass.
    whole_rows = len(scanlines(pixels[::8, ::8] if interlaced else pixels[:4], depth))
    for kept in (0, whole_rows, len(rows) // 3, len(rows) - 1):
        compressed = zlib.compress(rows[:kept])
        data = png_file(21, 13, depth, colour, compressed, *palette(colour, depth), interlaced=interlaced)
        with pytest.raises(UndecodableImage):
            decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 9), (3, 2), (5, 5), (8, 1), (9, 17)])
def test_small_images_have_empty_passes(columns: int, rows: int, interlaced: bool) -> None:
    pixels = (np.arange(columns * rows).reshape(rows, columns) % 256).astype(np.uint8)
    data = encode_png(pixels, GREY, 8, interlaced=interlaced)
    np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, pixels)


@pytest.mark.parametrize(
    ("depth", "levels"), [(1, [0, 1]), (2, [0, 1, 2]), (4, [3, 9, 0]), (8, [3, 200]), (16, [3, 65535])]
)
def test_the_transparent_grey_becomes_black(depth: int, levels: list[int]) -> None:
    pixels = np.array([levels], np.uint16)
    for index, level in enumerate(levels):
        data = encode_png(pixels, GREY, depth, (b"tRNS", struct.pack(">H", level)))
        kept = decode(encode_png(np.where(pixels == level, 0, pixels), GREY, depth), max_pixels=LIMIT).pixels
        np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, kept)
        assert kept[0, index] == 0


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_becomes_black(depth: int) -> None:
    top = 2**depth - 1
    pixels = np.array([[[top, top, top], [top, top, 7], [top, 7, top]]], np.uint16)
    data = encode_png(pixels, RGB, depth, (b"tRNS", struct.pack(">HHH", top, top, 7)))
    decoded = decode(data, max_pixels=LIMIT).pixels[0]
    np.testing.assert_allclose(decoded, [255, 0, 255 * (0.299 + 0.114) + 0.587 * 7 * (depth == 8)], atol=1)


def test_transparent_palette_entries_are_composited_over_black() -> None:
    colours = (b"PLTE", bytes([250] * 3 + [250] * 3 + [90] * 3))
    data = encode_png(np.array([[0, 1, 2, 3]]), PALETTE, 8, colours, (b"tRNS", bytes([0, 128])))
    np.testing.assert_array_equal(decode(data, max_pixels=LIMIT).pixels, [[0, 125, 90, 0]])


@pytest.mark.parametrize("colours", [[], [(b"PLTE", b"")], [(b"PLTE", b"1234")], [(b"PLTE", b"x" * 771)]])
def test_a_palette_image_without_a_right_palette_is_refused(colours: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(UndecodableImage):
        decode(encode_png(np.array([[0, 1]]), PALETTE, 8, *colours), max_pixels=LIMIT)


def test_the_header_must_come_first() -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, GREY, 0, 0, 0)
    image = (b"IDAT", zlib.compress(b"\0\7")), (b"IEND", b"")
    assert decode(png_of((b"IHDR", header), *image), max_pixels=LIMIT).pixels[0, 0] == 7
    with pytest.raises(UndecodableImage):
        decode(png_of((b"tEXt", b"Comment\0" + b"\x10" * 9), (b"IHDR", header), *image), max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("depth", "colour"), [(3, GREY), (0, GREY), (16, PALETTE), (4, RGB), (1, RGBA), (8, 1), (8, 7)]
)
def test_kinds_that_the_standard_does_not_know_are_refused(depth: int, colour: int) -> None:
    with pytest.raises(UndecodableImage):
        decode(png_file(1, 1, depth, colour, zlib.compress(b"\0" * 100)), max_pixels=LIMIT)


@pytest.mark.parametrize("kind", [b"IHDR", b"tEXt", b"IDAT", b"IEND"])
def test_a_wrong_check_sum_is_refused(kind: bytes) -> None:
    data = bytearray(encode_png(grey(7), GREY, 8, (b"tEXt", b"Comment\0text")))
    start = data.index(kind)
    length = int.from_bytes(data[start - 4 : start])
    data[start + 4 + length] ^= 1
    with pytest.raises(UndecodableImage):
        decode(bytes(data), max_pixels=LIMIT)


def test_metadata_neither_refuse_nor_inflate() -> None:
    bomb = zlib.compress(b"a" * 100_000_000)
    data = encode_png(
        grey(7), GREY, 8, (b"zTXt", b"k\0\0" + bomb), (b"iCCP", b"k\0\0" + bomb), (b"acTL", b"x"), (b"eXIf", b"MM\0*")
    )
    tracemalloc.start()
    assert (decode(data, max_pixels=LIMIT).pixels == 7).all()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("colour", "depth"), [(GREY, 8), (GREY, 16), (PALETTE, 8), (RGB, 8), (RGBA, 8), (RGB, 16), (RGBA, 16)]
)
def test_no_second_whole_frame_is_made(colour: int, depth: int) -> None:
    """numpy's share: the grey levels and a band; the decoder's own buffer, outside Python, is the frame itself."""
    rows = columns = 3000
    one_row = b"\0" * (1 + columns * CHANNELS[colour] * depth // 8)
    data = png_file(columns, rows, depth, colour, zlib.compress(one_row * rows), *palette(colour, min(depth, 8)))
    tracemalloc.start()
    decode(data, max_pixels=LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < rows * columns + 24 * 2**20
