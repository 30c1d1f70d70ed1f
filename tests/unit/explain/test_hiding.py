"""What hides a region, worked out pixel by pixel."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.grid import GRIDS, WHOLE_FRAME, regions_of
from api.explain.hiding import hide_each
from api.types import Fill, RelativeBox

FILLS: tuple[Fill, ...] = ("blur", "mean", "black")
UPPER_LEFT = RelativeBox(0.0, 0.0, 0.5, 0.5)
MIDDLE = RelativeBox(0.25, 0.5, 0.75, 0.75)


def noise(rows: int, columns: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (rows, columns), dtype=np.uint8)


def gaussian_blur(image: NDArray[np.uint8], share: float) -> NDArray[np.float64]:
    """Convolve with a true Gaussian, the outermost pixels repeated beyond the frame."""
    return _along(_along(image.astype(np.float64), share).T, share).T


def _along(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    size, sigma = values.shape[1], share * values.shape[1]
    reach = int(5 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((0, 0), (reach, reach)), mode="edge")
    return np.stack([padded[:, i : i + 2 * reach + 1] @ weights / weights.sum() for i in range(size)], axis=1)


@pytest.mark.parametrize("fill", FILLS)
def test_only_the_region_changes_and_the_image_itself_stays(fill: Fill) -> None:
    image = noise(64, 32)
    before = image.copy()
    (copy,) = hide_each(image, [MIDDLE], fill)
    np.testing.assert_array_equal(image, before)
    changed = np.argwhere(copy != image)
    assert changed.min(axis=0).tolist() == [32, 8]
    assert changed.max(axis=0).tolist() == [47, 23]


def test_black_is_black() -> None:
    (copy,) = hide_each(np.full((64, 32), 200, np.uint8), [MIDDLE], "black")
    expected = np.full((64, 32), 200)
    expected[32:48, 8:24] = 0
    np.testing.assert_array_equal(copy, expected)


def test_the_mean_is_that_of_the_ring_alone() -> None:
    """The ring is 4 rows high and 2 columns wide: what is in the region and what is farther away do not count."""
    image = np.full((64, 32), 250, np.uint8)
    image[28:52, 6:26] = 100
    image[28:32, 6:26] = 40
    image[32:48, 8:24] = 7
    (copy,) = hide_each(image, [MIDDLE], "mean")
    ring, dark = 24 * 20 - 16 * 16, 4 * 20
    assert set(copy[32:48, 8:24].flat) == {round(100 - 60 * dark / ring)}  # 78.57
    assert copy[40, 12] == 79


def test_at_the_rim_the_ring_is_what_the_frame_holds_of_it() -> None:
    image = np.zeros((64, 32), np.uint8)
    image[:32, 16:18] = 100  # to the right, 2 columns
    image[32:36, :18] = 200  # below, 4 rows, with the corner
    (copy,) = hide_each(image, [UPPER_LEFT], "mean")
    assert copy[0, 0] == round((64 * 100 + 72 * 200) / 136)
    assert (copy[:32, :16] == copy[0, 0]).all()


def test_the_blur_is_a_gaussian_of_an_eighth_of_each_side() -> None:
    image = np.zeros((96, 64), np.uint8)
    image[:, 20:] = 120
    image[50:] += 100
    (copy,) = hide_each(image, [MIDDLE], "blur")
    expected = gaussian_blur(image, 1 / 8)[48:72, 16:48]
    assert np.ptp(expected) > 60
    np.testing.assert_allclose(copy[48:72, 16:48], expected, atol=3.5)  # three boxes are not quite a Gaussian
    assert np.abs(copy[48:72, 16:48] - gaussian_blur(image, 1 / 10)[48:72, 16:48]).max() > 5


def test_the_blur_leaves_no_fine_detail() -> None:
    stripes = np.tile(np.repeat(np.array([60, 140], np.uint8), 4), (128, 16))
    (copy,) = hide_each(stripes, [MIDDLE], "blur")
    assert np.abs(copy[64:96, 32:96].astype(int) - 100).max() <= 2


@pytest.mark.parametrize("fill", ["blur", "mean"])
@pytest.mark.parametrize("level", [0, 93, 255])
def test_in_a_flat_image_nothing_can_be_hidden(fill: Fill, level: int) -> None:
    image = np.full((50, 70), level, np.uint8)
    for copy in hide_each(image, [region.box for region in regions_of(6)], fill):
        np.testing.assert_array_equal(copy, image)


@pytest.mark.parametrize("count", GRIDS)
@pytest.mark.parametrize("shape", [(128, 128), (37, 53), (224, 101)])
def test_the_regions_of_a_grid_hide_each_pixel_once(count: int, shape: tuple[int, int]) -> None:
    image = np.full(shape, 255, np.uint8)
    copies = hide_each(image, [region.box for region in regions_of(count)], "black")
    assert len(copies) == count
    np.testing.assert_array_equal(sum((copy == 0).astype(int) for copy in copies), 1)


def test_each_region_has_its_own_copy() -> None:
    image = noise(16, 16)
    one, other = hide_each(image, [UPPER_LEFT, MIDDLE], "black")
    assert (one[8:12, 4:12] == image[8:12, 4:12]).all()
    assert (other[:8, :4] == image[:8, :4]).all()


def test_nothing_is_around_the_whole_frame() -> None:
    with pytest.raises(ValueError, match="something around a region"):
        hide_each(noise(16, 16), [WHOLE_FRAME], "mean")
