"""Montages of feature maps, looked at pixel by pixel."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.imaging.render.montage import draw_layer
from api.types import Layer, OverlayFormat

SQUARE = (400, 400)
PAPER = (24, 24, 24)
NOTHING, MIDDLE, END = [0, 0, 4], [183, 55, 121], [252, 253, 191]


def layer(maps: NDArray[np.float32], upper: float = 2.0, first: int = 0) -> Layer:
    return Layer("conv/Relu:0", maps, tuple(range(first, first + len(maps))), upper)


def flat(*values: float, side: int = 5) -> NDArray[np.float32]:
    return np.stack([np.full((side, side), value, np.float32) for value in values])


def draw(shown: Layer, frame: tuple[int, int] = SQUARE, longest_side: int = 512) -> NDArray[np.uint8]:
    picture = draw_layer(shown, frame, longest_side, "png")
    pixels = np.asarray(Image.open(io.BytesIO(picture.data)))
    assert pixels.shape == (picture.height, picture.width, 3)
    return pixels


def tiles_of(montage: NDArray[np.uint8], rows: int, columns: int = 4) -> list[NDArray[np.uint8]]:
    """Cut a montage into cells of equal size, the gaps aside, row by row."""
    return [cell for row in np.array_split(montage, rows) for cell in np.array_split(row, columns, axis=1)]


def has(cell: NDArray[np.uint8], colour: list[int]) -> bool:
    return bool((np.abs(cell.astype(int) - colour).max(axis=-1) <= 1).mean() > 0.6)


def ink_in(cell: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((cell > 150).all(axis=-1))


def test_each_channel_has_its_tile_in_reading_order_and_the_colour_of_its_value() -> None:
    values = (2, 1, 0, -2, -1, 5, 1, 2, 0, 0, 1, 2, 1, 1, 2, 0)
    colours = {0: NOTHING, 1: MIDDLE, 2: END, 5: END}
    for cell, value in zip(tiles_of(draw(layer(flat(*values))), 4), values, strict=True):
        assert has(cell, colours[abs(value)]), value


def test_the_colours_do_not_depend_on_the_other_values() -> None:
    alone = draw(layer(flat(1, 0)))
    beside = draw(layer(flat(1, 1000)))
    half = alone.shape[1] // 4
    np.testing.assert_array_equal(alone[:, :half], beside[:, :half])
    assert (alone != beside).any()


def test_a_map_is_shown_cell_by_cell_the_right_way_up() -> None:
    values = np.zeros((1, 2, 2), np.float32)
    values[0, 0, 1], values[0, 1, 0] = 2, 1
    drawn = draw(layer(values))
    size = (drawn.shape[1] - 3 * 4) // 4  # three gaps of 4 pixels
    top = drawn.shape[0] - size
    middle = size // 2
    for colour, rows, columns in (
        (NOTHING, slice(top + 1, top + middle - 2), slice(1, middle - 2)),
        (END, slice(top + 1, top + middle - 2), slice(middle + 2, size - 4)),
        (MIDDLE, slice(top + middle + 2, top + size - 4), slice(1, middle - 2)),
    ):
        part = drawn[rows, columns].astype(int)
        assert part.size > 1000
        assert np.abs(part - colour).max() <= 1


def test_a_fine_map_loses_no_strong_point_where_it_shrinks() -> None:
    values = np.zeros((1, 300, 300), np.float32)
    values[0, 151, 77] = 2
    assert (np.abs(draw(layer(values)).astype(int) - END).max(axis=-1) <= 1).sum() == 1


@pytest.mark.parametrize("frame", [(400, 400), (3000, 2000), (1000, 2500), (1, 1)])
@pytest.mark.parametrize("longest_side", [64, 100, 512, 2048])
@pytest.mark.parametrize("count", [1, 7, 16])
def test_no_side_is_longer_than_asked_and_tiles_have_the_proportions_of_the_radiograph(
    frame: tuple[int, int], longest_side: int, count: int
) -> None:
    drawn = draw(layer(np.full((count, 3, 3), 2, np.float32)), frame, longest_side)
    assert max(drawn.shape) <= longest_side
    rows = -(-count // 4)
    if rows == 4:
        assert max(drawn.shape) > 0.85 * longest_side
    lit = np.abs(drawn.astype(int) - END).max(axis=-1) <= 1
    height = lit.any(axis=1).sum() / rows
    width = lit.any(axis=0).sum() / min(count, 4)
    assert width / height == pytest.approx(frame[0] / frame[1], abs=1.5 * frame[0] / frame[1] / min(width, height))


def test_the_caption_stands_above_its_tile_and_tells_channels_apart() -> None:
    drawn = draw(layer(flat(*[0] * 16), first=30))
    again = draw(layer(flat(*[0] * 16), first=31))
    inks = [ink_in(cell) for cell in tiles_of(drawn, 4)]
    for ink in inks:
        assert ink.any()
        assert np.argwhere(ink)[:, 0].max() < 0.2 * len(ink)  # in the margin, not on the map
    assert len({ink[:20, :120].tobytes() for ink in inks}) == 16
    # Channel 31 is second in the one and first in the other: the same word, another place.
    second, first = inks[1], ink_in(tiles_of(again, 4)[0])
    assert second.sum() == first.sum()
    assert second.sum() != inks[0].sum()


def test_where_captions_could_not_be_read_the_tiles_have_the_room() -> None:
    drawn = draw(layer(flat(*[2] * 16), first=1000), longest_side=128)
    assert (np.abs(drawn.astype(int) - END).max(axis=-1) <= 1).mean() > 0.9
    assert set(map(tuple, drawn.reshape(-1, 3))) == {PAPER, tuple(END)}


@pytest.mark.parametrize("overlay_format", ["png", "jpeg", "webp"])
def test_montages_come_in_every_format(overlay_format: OverlayFormat) -> None:
    picture = draw_layer(layer(flat(*[1] * 16)), SQUARE, 512, overlay_format)
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.size) == (overlay_format.upper(), (picture.width, picture.height))
    assert picture.media_type == f"image/{overlay_format}"
    assert np.abs(np.asarray(image.convert("RGB"))[70, 60].astype(int) - MIDDLE).max() <= 6


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_layer_that_is_not_finite_has_no_picture(value: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        draw(layer(flat(0, value)))
