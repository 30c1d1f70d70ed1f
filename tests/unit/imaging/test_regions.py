"""Regions coloured by their drop, looked at pixel by pixel."""

import dataclasses
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.explain.grid import regions_of
from api.explain.occlusion import HALVES, QUADRANTS, SCALE, measure_drops
from api.imaging.render.regions import draw_drops
from api.types import EncodedImage, MapScale, OcclusionFinding

RADIOGRAPH = np.full((150, 300), 100, np.uint8)
UPPER = SCALE.upper
AMBER, GREY = (255, 176, 0), (128, 128, 128)
# 0.55 of 100 and 0.45 of magma's last colour, (252, 253, 191); half of that opacity with its middle, (183, 55, 121).
AT_THE_END, HALF_WAY = [168, 169, 141], [119, 90, 105]


def pixels_of(picture: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def quadrants(*drops: float) -> OcclusionFinding:
    """Drops of the upper left, upper right, lower left and lower right quadrant; the halves lose nothing."""
    return measure_drops(-np.array([0, 0, 0, *drops], np.float64), (HALVES, QUADRANTS), "blur")


def draw(finding: OcclusionFinding, longest_side: int = 256) -> NDArray[np.uint8]:
    return pixels_of(draw_drops(RADIOGRAPH, finding, longest_side, "png"))


def test_each_quadrant_has_the_colour_of_its_drop() -> None:
    drawn = draw(quadrants(UPPER / 2, UPPER, 0, -UPPER))
    assert drawn.shape == (128, 256, 3)
    for colour, rows, columns in (
        (HALF_WAY, slice(0, 64), slice(0, 128)),
        (AT_THE_END, slice(2, 62), slice(130, 254)),
        ([100] * 3, slice(65, 128), slice(0, 128)),
        ([100] * 3, slice(65, 128), slice(129, 256)),
    ):
        np.testing.assert_allclose(drawn[rows, columns], np.broadcast_to(colour, drawn[rows, columns].shape), atol=1)


def test_only_the_strongest_region_has_a_box() -> None:
    drawn = draw(quadrants(UPPER / 2, UPPER, UPPER / 4, 0))
    expected = np.zeros((128, 256), bool)
    expected[0:64, 128:256] = True
    expected[2:62, 130:254] = False
    np.testing.assert_array_equal((drawn == AMBER).all(axis=-1), expected)


def test_lines_part_the_regions() -> None:
    drawn = draw(quadrants(0, 0, UPPER, 0))
    assert (drawn[:64, 128] == GREY).all()
    assert (drawn[64, 129:] == GREY).all()
    assert (drawn[:64, :128] == 100).all()


def test_drops_above_the_scale_look_like_its_end() -> None:
    at_the_end, above = (draw(quadrants(UPPER, drop, 0, 0)) for drop in (1.01 * UPPER, 5 * UPPER))
    np.testing.assert_array_equal(at_the_end, above)


def test_the_colour_of_a_drop_does_not_depend_on_the_others() -> None:
    alone, beside = (draw(quadrants(UPPER / 2, other, 0, 0)) for other in (0.6 * UPPER, 3 * UPPER))
    np.testing.assert_array_equal(alone[:63, :127], beside[:63, :127])
    assert (alone[:63, 140:250] != beside[:63, 140:250]).any()


def test_the_scale_of_the_finding_is_the_one_that_counts() -> None:
    finding = dataclasses.replace(quadrants(1, 3, 0, 0), scale=MapScale(2.0, "log-odds"))
    np.testing.assert_allclose(draw(finding)[30, 60], HALF_WAY, atol=1)


@pytest.mark.parametrize("count", [6, 24])
@pytest.mark.parametrize("longest_side", [64, 333])
def test_the_cells_of_a_grid_cover_the_frame(count: int, longest_side: int) -> None:
    drops = np.full(count, UPPER / 2)
    drops[-1] = UPPER
    drawn = draw(measure_drops(-np.array([0, *drops]), (regions_of(count),), "black"), longest_side).astype(int)
    known = [(np.abs(drawn - colour).max(axis=-1) <= 1) for colour in (AMBER, GREY, HALF_WAY, AT_THE_END)]
    assert np.logical_or.reduce(known).all()
    height, width = drawn.shape[:2]
    rows, columns = {6: (3, 2), 24: (6, 4)}[count]
    np.testing.assert_allclose(known[2].mean(), 1 - 1 / count, atol=(columns / width + rows / height))


def test_where_hiding_lowers_nothing_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="must be a region"):
        draw(quadrants(0, -1, 0, -2))
