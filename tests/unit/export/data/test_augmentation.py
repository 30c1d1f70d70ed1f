"""Augmentation against what can be computed by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from export.data.augmentation import AugmentationRange, augment, random_affine, take_over_style, warp

STILL = AugmentationRange(rotation=0, shift=0, zoom=0, stretch=0, contrast=0, brightness=0, gamma=0)
SIZE = 32


def made_image(seed: int = 0, smooth: int = 1) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).uniform(0, 255, (SIZE, SIZE))
    blurred = np.mean([np.roll(noise, (i, j), (0, 1)) for i in range(smooth) for j in range(smooth)], axis=0)
    return np.asarray(blurred, dtype=np.uint8)


def test_nothing_allowed_changes_nothing() -> None:
    image = made_image()
    np.testing.assert_array_equal(augment(image, made_image(1), STILL, np.random.default_rng(0)), image)


def test_a_horizontal_flip_happens_only_when_asked_for() -> None:
    """The heart is on one side."""
    image = made_image()
    flips = AugmentationRange(0, 0, 0, 0, 0, 0, 0, horizontal_flip=1)
    np.testing.assert_array_equal(augment(image, image, flips, np.random.default_rng(0)), image[:, ::-1])
    assert AugmentationRange().horizontal_flip == 0


def test_the_same_generator_gives_the_same_image() -> None:
    limits = AugmentationRange(style=0.5, jpeg=0.5, resample=0.5)
    first, again = (augment(made_image(), made_image(1), limits, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != augment(made_image(), made_image(1), limits, np.random.default_rng(8))).any()


def test_a_shift_moves_pixels_and_brings_in_black() -> None:
    image = made_image() // 2 + 100
    moved = warp(image, np.array([[1.0, 0, 3], [0, 1, 0]]))
    np.testing.assert_array_equal(moved[:, :-3], image[:, 3:])
    assert (moved[:, -3:] == 0).all()


def test_transforms_leave_the_centre_within_the_shift() -> None:
    limits = AugmentationRange(shift=0.1)
    generator = np.random.default_rng(0)
    for _ in range(50):
        transform = random_affine(SIZE, limits, generator)
        centre = np.array([SIZE / 2, SIZE / 2, 1])
        assert np.abs(transform @ centre - SIZE / 2).max() <= 0.1 * SIZE
        assert 0.75 < np.linalg.det(transform[:, :2]) < 1.35  # (1 + zoom)^2 at most


def test_contrast_about_the_mean_is_what_the_formula_says() -> None:
    image = np.tile(np.array([100, 140], dtype=np.uint8), (SIZE, SIZE // 2))
    limits = AugmentationRange(0, 0, 0, 0, contrast=0.5, brightness=0, gamma=0)
    changed = augment(image, image, limits, np.random.default_rng(3)).astype(int)
    ratio = (changed[0, 1] - changed[0, 0]) / 40
    assert np.exp(-0.5) <= ratio <= np.exp(0.5)
    assert ratio != pytest.approx(1, abs=0.02)
    assert changed.mean() == pytest.approx(120, abs=1)


def test_taking_over_tone_gives_the_references_histogram() -> None:
    image, reference = made_image(), (made_image(1) // 4 + 90).astype(np.uint8)
    matched = take_over_style(image, reference, detail=0, tone=1)
    for quantile in (5, 25, 50, 75, 95):
        assert np.percentile(matched, quantile) == pytest.approx(np.percentile(reference, quantile), abs=3)


def test_taking_over_detail_makes_a_sharp_image_as_smooth_as_the_reference() -> None:
    sharp, smooth = made_image(), made_image(1, smooth=2)

    def roughness(image: NDArray[np.uint8]) -> float:
        return float(np.abs(np.diff(image.astype(float), axis=1)).mean())

    taken = roughness(take_over_style(sharp, smooth, detail=1, tone=0))
    assert roughness(smooth) < taken < roughness(sharp)
    assert taken - roughness(smooth) < 0.5 * (roughness(sharp) - roughness(smooth))


def test_no_share_of_style_is_the_image_itself() -> None:
    np.testing.assert_array_equal(take_over_style(made_image(), made_image(1, 3), 0, 0), made_image())
