"""Batches of augmented radiographs, the same on every Keras backend."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from export.data.augmentation import augment
from export.data.mask_augmentation import hide_region, visible_share
from export.training.plan import TrainingPlan

_THREADS = 2


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """What a network is trained on.

    `images` are grey levels ``[n, h, w, 1]``, `targets` ``[n]``, `weights` ``[n]``; `activations` ``[n, gh, gw]`` are a
    first model's class activation maps, not negative, where the mask augmentation needs them.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    activations: NDArray[np.float32] | None = None


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled batches of images, targets and weights; what happens to an image depends on seed, epoch and image alone.

    `epoch` is set by the callback that `follow_epochs` gives, so that a resumed training sees what it would have seen.
    """

    def __init__(self, data: TrainingImages, plan: TrainingPlan) -> None:
        super().__init__(workers=_THREADS, max_queue_size=8)
        self._data = data
        self._plan = plan
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._data.images) // self._plan.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Make one batch: images ``[b, h, w, 1]``, targets ``[b, 1]``, weights ``[b]``."""
        order = np.random.default_rng([self._plan.seed, self.epoch]).permutation(len(self._data.images))
        chosen = order[index * self._plan.batch_size : (index + 1) * self._plan.batch_size]
        made = [self._make(int(i)) for i in chosen]
        images = np.stack([image for image, _ in made])[..., np.newaxis].astype(np.float32)
        return images, np.array([[target] for _, target in made], np.float32), self._data.weights[chosen]

    def follow_epochs(self) -> keras.callbacks.Callback:
        """Give the callback that tells which epoch begins."""

        def begin(epoch: int, _logs: object = None) -> None:
            self.epoch = epoch

        return keras.callbacks.LambdaCallback(on_epoch_begin=begin)

    def _make(self, i: int) -> tuple[NDArray[np.uint8], float]:
        generator = np.random.default_rng([self._plan.seed, self.epoch, i])
        image, target = self._data.images[i, ..., 0], float(self._data.targets[i])
        if self._plan.masking and generator.random() < self._plan.masking.share:
            image, hidden = hide_region(image, self._plan.masking.rule, generator)
            if self._data.activations is not None and target > 0:
                target *= visible_share(self._data.activations[i], hidden)
        if self._plan.augmentation:
            reference = self._data.images[generator.integers(len(self._data.images)), ..., 0]
            image = augment(image, reference, self._plan.augmentation, generator)
        return image, target
