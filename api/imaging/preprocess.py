"""From a radiograph to the pixels a model takes. Training, evaluation and serving all come through here.

The study's explanations look at one direct shrink to 128 pixels (`resize_antialiased`), models at `to_model_input`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TRAINING_DATA_SIZE = 224  # pixels a side, as the data set was stored for training


def resize_antialiased(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize a grey image, averaging areas where it shrinks.

    The whole frame is kept and the aspect ratio is not, as the models were trained. Without antialiasing a
    radiograph of 2000 pixels would reach the model as a different, noisier image than the 224-pixel version
    of the same radiograph.

    Parameters
    ----------
    pixels
        Grey levels, shape ``[rows, columns]``, 0 (black) to 255.
    height, width
        Wanted size in pixels, both at least 1.

    Returns
    -------
    Grey levels, shape ``[height, width]``, 0 to 255.
    """
    if pixels.shape == (height, width):
        return pixels
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def to_model_input(images: Sequence[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """Make the tensor `image` of the model contract.

    Images larger than the training data are first shrunk to the training data's own size: shrinking once gives
    a slightly sharper image than shrinking twice, and a network of 128 pixels tells the two apart.
    Scaling and normalisation happen inside the model's graph.

    Parameters
    ----------
    images
        Grey levels, each of shape ``[rows, columns]``, 0 (black) to 255.
    height, width
        The model's input size.

    Returns
    -------
    Grey levels, shape ``[len(images), height, width, 1]``, 0 to 255.
    """
    return to_model_inputs(images, [(height, width)])[height, width]


def to_model_inputs(
    images: Sequence[NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], NDArray[np.uint8]]:
    """Make the tensor `image` for models of several sizes, shrinking each large image once for all that can share it.

    Parameters
    ----------
    images
        As for `to_model_input`.
    sizes
        Heights and widths of the models' inputs.

    Returns
    -------
    What `to_model_input` gives, by size.
    """
    shared: dict[tuple[int, int], Sequence[NDArray[np.uint8]]] = {}
    inputs = {}
    for height, width in sizes:
        first = max(height, TRAINING_DATA_SIZE), max(width, TRAINING_DATA_SIZE)
        if first not in shared:
            shared[first] = [_shrink_to(image, *first) for image in images]
        resized = [resize_antialiased(image, height, width) for image in shared[first]]
        inputs[height, width] = np.stack(resized)[..., np.newaxis]
    return inputs


def _shrink_to(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink each side that is longer; never enlarge."""
    rows, columns = pixels.shape
    return resize_antialiased(pixels, min(rows, height), min(columns, width))
