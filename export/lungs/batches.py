"""Batches of radiographs and masks for the training of the lung segmenter."""

import keras
import numpy as np
from numpy.typing import NDArray

from export.lungs.augmentation import LungAugmentation, augment_pair, change_intensity, shrink
from export.lungs.no_chest import make_picture_without_chest

_LIMITS = LungAugmentation()


class LungBatches(keras.utils.PyDataset):
    """Changed radiographs with changed masks, in another order every epoch.

    An image's changes depend on the seed, the epoch and its place alone, not on which thread makes it.

    Parameters
    ----------
    radiographs, masks
        Shape ``[n, h, w]``, 0 to 255; 255 in a mask is lung.
    image_size
        Pixels a side of what the network takes.
    batch_size
        Pairs a batch; the last one of an epoch may hold fewer.
    no_chest_share
        Share of the pairs that are replaced by a picture without lungs and an empty mask, 0 to 1.
    seed
        Decides all.
    epoch
        How many epochs are done, for a training that goes on.
    """

    def __init__(
        self,
        radiographs: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        *,
        image_size: int,
        batch_size: int,
        no_chest_share: float,
        seed: int,
        epoch: int = 0,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.radiographs, self.masks = radiographs, masks
        self.image_size, self.batch_size, self.no_chest_share = image_size, batch_size, no_chest_share
        self.seed, self.epoch = seed, epoch

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return -(-len(self.radiographs) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Make a batch: grey levels 0 to 255 and masks 0 to 1, each ``[batch, image_size, image_size, 1]``."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.radiographs))
        drawn = order[index * self.batch_size :][: self.batch_size]
        pairs = [self._pair(int(k)) for k in drawn]
        images, masks = (np.stack(part)[..., np.newaxis].astype(np.float32) for part in zip(*pairs, strict=True))
        return images, masks / np.float32(255)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order and changes."""
        self.epoch += 1

    def _pair(self, k: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        generator = np.random.default_rng((self.seed, self.epoch, k))
        if generator.random() < self.no_chest_share:
            picture = make_picture_without_chest(self.radiographs[k], generator)
            radiograph, mask = change_intensity(picture, _LIMITS, generator), np.zeros_like(picture)
        else:
            radiograph, mask = augment_pair(self.radiographs[k], self.masks[k], _LIMITS, generator)
        return shrink(radiograph, self.image_size), shrink(mask, self.image_size)
