"""What a network is shown in training."""

import dataclasses

import numpy as np
import pytest

from export.data.augmentation import AugmentationRange
from export.data.mask_augmentation import MaskAugmentation
from export.training.batches import AugmentedBatches, TrainingImages
from export.training.plan import TrainingPlan

N, SIZE = 23, 16
GENERATOR = np.random.default_rng(0)
DATA = TrainingImages(
    GENERATOR.integers(1, 256, (N, SIZE, SIZE, 1), dtype=np.uint8),
    (np.arange(N) % 3 > 0).astype(np.float32),
    np.linspace(0.5, 2, N).astype(np.float32),
)
PLAN = TrainingPlan("tiny", SIZE, batch_size=8, augmentation=None)


def test_an_epoch_shows_every_image_once_with_its_target_and_weight() -> None:
    batches = AugmentedBatches(DATA, PLAN)
    shown = [batches[i] for i in range(len(batches))]
    assert [len(images) for images, _, _ in shown] == [8, 8, 7]
    images, targets, weights = (np.concatenate(part) for part in zip(*shown, strict=True))
    order = [int(np.flatnonzero((DATA.images == image).all(axis=(1, 2, 3)))[0]) for image in images]
    assert sorted(order) == list(range(N))
    assert order != list(range(N))
    np.testing.assert_array_equal(targets[:, 0], DATA.targets[order])
    np.testing.assert_array_equal(weights, DATA.weights[order])


def test_batches_depend_on_seed_and_epoch_alone() -> None:
    plan = dataclasses.replace(PLAN, augmentation=AugmentationRange(style=0.5, jpeg=0.5))
    first, again, other = AugmentedBatches(DATA, plan), AugmentedBatches(DATA, plan), AugmentedBatches(DATA, plan)
    other.epoch = 1
    np.testing.assert_array_equal(first[1][0], again[1][0])
    assert (first[1][0] != other[1][0]).any()
    other.follow_epochs().on_epoch_begin(0)
    np.testing.assert_array_equal(first[1][0], other[1][0])


def test_hiding_the_disease_lowers_the_target_of_pneumonias_alone() -> None:
    """All activation lies in the upper left corner: where it is hidden, the target falls to zero, else it stays."""
    activations = np.zeros((N, 2, 2), np.float32)
    activations[:, 0, 0] = 1
    plan = dataclasses.replace(PLAN, masking=MaskAugmentation("weak", share=1, activation_run="first"))
    batches = AugmentedBatches(dataclasses.replace(DATA, activations=activations), plan)
    seen = {True: [], False: []}  # type: dict[bool, list[float]]
    for epoch in range(5):
        batches.epoch = epoch
        plain = AugmentedBatches(DATA, PLAN)
        plain.epoch = epoch
        for i in range(len(batches)):
            images, targets, _ = batches[i]
            original, labels, _ = plain[i]
            assert (targets[labels == 0] == 0).all()
            changed = (images != original)[:, :8, :8].mean(axis=(1, 2, 3))
            for share, target, label in zip(changed, targets[:, 0], labels[:, 0], strict=True):
                if label == 1 and share in (0, 1):
                    seen[bool(share)].append(float(target))
    assert set(seen[False]) == {1.0}
    assert max(seen[True]) == pytest.approx(0, abs=1e-6)


def test_small_hidden_regions_keep_the_label() -> None:
    plan = dataclasses.replace(PLAN, masking=MaskAugmentation("keep", share=1))
    batches, plain = AugmentedBatches(DATA, plan), AugmentedBatches(DATA, PLAN)
    assert (batches[0][0] != plain[0][0]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(batches[0][1], plain[0][1])
