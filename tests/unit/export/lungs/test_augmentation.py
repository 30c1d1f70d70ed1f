"""Radiograph and mask move together; pictures without lungs hold none."""

import dataclasses

import numpy as np
import pytest

from export.lungs.augmentation import LungAugmentation, augment_pair, change_intensity
from export.lungs.batches import LungBatches
from export.lungs.no_chest import make_picture_without_chest

STILL = LungAugmentation(**dict.fromkeys((field.name for field in dataclasses.fields(LungAugmentation)), 0.0))


def frame_with_square() -> np.ndarray:
    frame = np.zeros((64, 64), np.uint8)
    frame[20:40, 24:36] = 255
    return frame


@pytest.mark.parametrize("seed", range(5))
def test_geometry_moves_the_mask_as_it_moves_the_radiograph(seed: int) -> None:
    limits = dataclasses.replace(STILL, rotation=15.0, shift=0.1, zoom=0.2, stretch=0.1)
    frame = frame_with_square()
    radiograph, mask = augment_pair(frame, frame, limits, np.random.default_rng(seed))
    assert np.abs(radiograph.astype(int) - mask).max() <= 1
    assert (mask != frame).mean() > 0.01


def test_shift_alone_moves_by_whole_drawn_distances() -> None:
    limits = dataclasses.replace(STILL, shift=0.25)
    _, mask = augment_pair(frame_with_square(), frame_with_square(), limits, np.random.default_rng(3))
    generator = np.random.default_rng(3)
    for _ in range(3):  # angle, zoom and stretch come first
        generator.uniform(-0.0, 0.0)
    across, down = generator.uniform(-0.25, 0.25, 2) * 64
    rows, columns = np.indices(mask.shape)
    centre = [(axis * mask.astype(float)).sum() / mask.sum() for axis in (rows, columns)]
    assert centre == pytest.approx([29.5 - down, 29.5 - across], abs=0.1)


def test_nothing_changes_where_all_limits_are_zero() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    radiograph, mask = augment_pair(frame, frame, STILL, np.random.default_rng(1))
    np.testing.assert_array_equal(radiograph, frame)
    np.testing.assert_array_equal(mask, frame)


def test_intensity_keeps_the_order_of_grey_levels_unless_it_shades_blurs_or_adds_noise() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    limits = dataclasses.replace(LungAugmentation(), shading=0.0, blur=0.0, noise=0.0, share=1.0)
    for seed in range(10):
        changed = change_intensity(ramp, limits, np.random.default_rng(seed)).ravel().astype(int)
        assert (np.diff(changed) >= 0).all()
        assert np.ptp(changed) > 50


def test_pictures_without_chest_differ_and_keep_the_shape() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (60, 52), dtype=np.uint8)
    pictures = [make_picture_without_chest(frame, np.random.default_rng(seed)) for seed in range(30)]
    assert {picture.shape for picture in pictures} == {(60, 52)}
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}
    assert len({picture.tobytes() for picture in pictures}) > 25
    shuffled = [p for p in pictures if np.array_equal(np.sort(p, axis=None), np.sort(frame, axis=None))]
    assert shuffled, "of 30 pictures some are the radiograph's tiles in another order"
    assert all((picture != frame).any() for picture in pictures)


def batches(share: float, epoch: int = 0) -> LungBatches:
    frames = np.stack([np.full((64, 64), 20 * k, np.uint8) for k in range(10)])
    masks = np.full_like(frames, 255)
    return LungBatches(frames, masks, image_size=32, batch_size=4, no_chest_share=share, seed=5, epoch=epoch)


def test_an_epoch_shows_each_radiograph_once_and_is_decided_by_seed_and_number() -> None:
    first = batches(0.0)
    assert [len(first[k][0]) for k in range(len(first))] == [4, 4, 2]
    images, masks = first[0]
    assert images.shape == masks.shape == (4, 32, 32, 1)
    assert masks.max() == 1
    first.on_epoch_end()
    np.testing.assert_array_equal(first[1][0], batches(0.0, epoch=1)[1][0])
    assert (first[1][0] != batches(0.0)[1][0]).any()


def test_pictures_without_lungs_have_empty_masks() -> None:
    every = batches(1.0)
    assert all(every[k][1].max() == 0 for k in range(len(every)))
