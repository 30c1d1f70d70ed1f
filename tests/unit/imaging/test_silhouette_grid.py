"""Pictures of silhouette grids, looked at pixel by pixel."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.explain.silhouette_grid import rank_frame, rank_lungs
from api.imaging.render.silhouette_grid import draw_silhouette_grid
from api.types import BorderSharpness, EncodedImage, RelativeBox, SilhouetteGridFinding

GREY, ORANGE, GREEN, BLUE = (128, 128, 128), (255, 176, 0), (0, 158, 115), (86, 180, 233)


def pixels_of(picture: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def places(drawn: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((drawn == colour).all(axis=-1))


def frame_of(box: tuple[int, int, int, int], width: int) -> NDArray[np.bool_]:
    """The border of a box (top, bottom, left, right), inside it, in a picture of 128 x 128."""
    top, bottom, left, right = box
    marked = np.zeros((128, 128), np.bool_)
    marked[top:bottom, left:right] = True
    marked[top + width : bottom - width, left + width : right - width] = False
    return marked


def test_the_winner_is_bold_and_the_other_regions_are_thin() -> None:
    image = np.full((128, 128), 100, np.uint8)
    image[70, 100] = 255
    drawn = pixels_of(draw_silhouette_grid(image, rank_frame(image, 4), 128, "png"))
    bold = frame_of((65, 110, 64, 128), 2)
    thin = frame_of((20, 65, 0, 64), 1) | frame_of((20, 65, 64, 128), 1) | frame_of((65, 110, 0, 64), 1)
    np.testing.assert_array_equal(places(drawn, ORANGE), bold)
    np.testing.assert_array_equal(places(drawn, GREY), thin & ~bold)
    assert (drawn[~(bold | thin)] != 100).any(axis=-1).sum() == 1  # the white pixel


def test_the_lungs_are_outlined_and_the_box_is_that_of_the_lung() -> None:
    lungs = np.zeros((64, 64), np.bool_)
    lungs[16:48, 8:24] = lungs[16:48, 40:56] = True
    image = np.full((128, 128), 100, np.uint8)
    seen = image[::2, ::2].copy()
    seen[40, 50] = 200
    drawn = pixels_of(draw_silhouette_grid(image, rank_lungs(seen, lungs, 4), 128, "png"))
    bold = frame_of((64, 96, 80, 112), 2)
    np.testing.assert_array_equal(places(drawn, ORANGE), bold)
    # Twice the size: the lungs span rows 32 to 95, columns 16 to 47 and 80 to 111, but for rounded corners.
    outline = frame_of((32, 96, 16, 48), 1) | frame_of((32, 96, 80, 112), 1)
    cells = np.zeros_like(outline)
    for top, bottom in ((32, 64), (64, 96)):
        for left, right in ((16, 64), (64, 112)):
            cells |= frame_of((top, bottom, left, right), 1)
    green = places(drawn, GREEN)
    assert green.sum() > 60
    assert not (green & ~outline).any()
    np.testing.assert_array_equal(places(drawn, GREY), cells & ~bold)


def test_borders_are_drawn_where_they_were_traced() -> None:
    image = np.full((128, 128), 100, np.uint8)
    found = rank_frame(image, 4)
    path = tuple(((40 + 0.5) / 128, (row + 0.5) / 128) for row in range(70, 91))
    border = BorderSharpness("heart", "image_right", 0.2, 0.1, 0.7, (0.6, 0.8), path)
    finding = SilhouetteGridFinding(found.regions, found.winner, found.half, found.quadrant, borders=(border,))
    blue = places(pixels_of(draw_silhouette_grid(image, finding, 128, "png")), BLUE)
    assert (np.flatnonzero(blue.any(axis=1)) == np.arange(70, 91)).all()
    np.testing.assert_array_equal(np.flatnonzero(blue.any(axis=0)), [40])


def test_where_nothing_won_nothing_can_be_drawn() -> None:
    finding = SilhouetteGridFinding((), None, None, None, np.zeros((4, 4), np.bool_))
    with pytest.raises(ValueError, match="region that won"):
        draw_silhouette_grid(np.zeros((64, 64), np.uint8), finding, 64, "png")


def test_the_box_of_the_whole_frame_stays_in_the_picture() -> None:
    lungs = np.ones((10, 10), np.bool_)
    finding = rank_lungs(np.full((10, 10), 7, np.uint8), lungs, 4)
    assert finding.region == RelativeBox(0, 0, 0.5, 0.5)
    drawn = pixels_of(draw_silhouette_grid(np.full((128, 128), 7, np.uint8), finding, 128, "png"))
    np.testing.assert_array_equal(places(drawn, ORANGE), frame_of((0, 64, 0, 64), 2))
