"""Pictures, looked at pixel by pixel."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.explain.gradient import select_dominant_pixels
from api.imaging.render.box import draw_silhouette
from api.imaging.render.dominant_pixels import draw_gradient
from api.imaging.render.files import encode_heatmap
from api.types import EncodedImage, OverlayFormat, RelativeBox, SilhouetteFinding

UPPER_RIGHT = SilhouetteFinding("image_right", "image_upper_right", RelativeBox(0.5, 0, 1, 0.5), {})


def pixels_of(picture: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def radiograph(level: int = 100) -> NDArray[np.uint8]:
    return np.full((150, 300), level, np.uint8)


def test_silhouette_draws_a_border_around_the_quadrant_and_nothing_else() -> None:
    drawn = pixels_of(draw_silhouette(radiograph(), UPPER_RIGHT, 256, "png"))
    assert drawn.shape == (128, 256, 3)
    coloured = (drawn != 100).any(axis=-1)
    expected = np.zeros((128, 256), bool)
    expected[0:64, 128:256] = True
    expected[2:62, 130:254] = False  # the border is 2/128 of the frame's shorter side
    np.testing.assert_array_equal(coloured, expected)


def test_gradient_colours_exactly_the_shown_pixels() -> None:
    importance = np.zeros((4, 4), np.float32)
    importance[1, 2], importance[3, 0], importance[0, 0] = 1.0, 0.8, 0.5
    drawn = pixels_of(
        draw_gradient(np.full((64, 64), 100, np.uint8), select_dominant_pixels(importance, 0.7), 64, "png")
    )
    coloured = (drawn != 100).any(axis=-1)
    expected = np.zeros((64, 64), bool)
    expected[16:32, 32:48] = expected[48:64, 0:16] = True
    np.testing.assert_array_equal(coloured, expected)
    brightest, weaker = drawn[20, 40].astype(int), drawn[50, 5].astype(int)
    assert brightest.sum() > weaker.sum() > 300


def test_at_the_highest_threshold_the_one_pixel_shown_is_drawn_as_the_most_important() -> None:
    importance = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    drawn = pixels_of(
        draw_gradient(np.full((64, 64), 100, np.uint8), select_dominant_pixels(importance, 1.0), 64, "png")
    )
    np.testing.assert_array_equal(drawn[56, 56], [216, 216, 145])  # a quarter of 100, three quarters of pale yellow


@pytest.mark.parametrize("longest_side", [64, 100, 127])
def test_a_small_overlay_still_shows_every_dominant_pixel(longest_side: int) -> None:
    """Each pixel of a 128-pixel map alone, the most important among weaker neighbours."""
    for row, column in ((0, 0), (1, 1), (63, 64), (127, 127), (50, 3)):
        importance = np.full((128, 128), 0.75, np.float32)
        importance[0, 5], importance[row, column] = 0, 1
        drawn = pixels_of(
            draw_gradient(
                np.full((300, 300), 100, np.uint8), select_dominant_pixels(importance, 0.7), longest_side, "png"
            )
        )
        place = row * longest_side // 128, column * longest_side // 128
        near = drawn[max(0, place[0] - 1) : place[0] + 2, max(0, place[1] - 1) : place[1] + 2]
        assert (near == [216, 216, 145]).all(axis=-1).sum() == 1


def test_a_constant_map_colours_nothing() -> None:
    finding = select_dominant_pixels(np.full((8, 8), 0.3, np.float32), 0.5)
    np.testing.assert_array_equal(pixels_of(draw_gradient(radiograph(), finding, 300, "png")), 100)


def test_the_heatmap_gives_back_the_raw_values() -> None:
    raw = np.linspace(0.2, 0.61, 64, dtype=np.float32).reshape(8, 8)
    finding = select_dominant_pixels(raw, 0.7)
    picture = encode_heatmap(finding.importance, finding.raw_range)
    assert picture.value_range is not None
    lowest, highest = picture.value_range
    restored = lowest + pixels_of(picture) / 255 * (highest - lowest)
    np.testing.assert_allclose(restored, raw, atol=(highest - lowest) / 255 / 2 + 1e-6)
    assert (lowest, highest) == pytest.approx((0.2, 0.61))


@pytest.mark.parametrize("overlay_format", ["png", "jpeg", "webp"])
def test_overlays_come_in_every_format(overlay_format: OverlayFormat) -> None:
    picture = draw_silhouette(radiograph(), UPPER_RIGHT, 300, overlay_format)
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.size) == (overlay_format.upper(), (300, 150))
    assert picture.media_type == f"image/{overlay_format}"
    middle = np.asarray(image.convert("RGB"))[110, 40].astype(int)
    assert np.abs(middle - 100).max() <= 3
