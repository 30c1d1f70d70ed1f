"""The networks. All take grey levels 0 to 255 of shape ``[n, h, w, 1]`` and hold their own normalisation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from export.networks.fft_convolution import FFTConv2D
from export.networks.starting_weights import copy_backbone_weights

GRADIENT_MODEL_SIZE = 128


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a network and how it is trained unless told otherwise.

    `build` takes the image size and the starting weights: ``none``, ``imagenet`` or the path of a file.
    The network answers the log-odds of PNEUMONIA ``[n, 1]`` or the probabilities of both labels ``[n, 2]``.
    """

    name: str
    build: Callable[[int, str], keras.Model]
    image_size: int
    learning_rate: float


def build_xception(image_size: int, init: str) -> keras.Model:
    """Xception (Chollet 2017) with global average pooling and one log-odds output, for transfer learning."""
    image = keras.Input((image_size, image_size, 1), name="image")
    backbone = keras.applications.Xception(
        include_top=False,
        weights="imagenet" if init == "imagenet" else None,
        input_shape=(image_size, image_size, 3),
        name="xception",
    )
    if init not in ("none", "imagenet"):
        copy_backbone_weights(Path(init), backbone)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = backbone(layers.Concatenate(name="replicate")([x, x, x]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(image, layers.Dense(1, name="log_odds", dtype="float32")(x), name="xception_classifier")


def build_gradient_model(image_size: int = GRADIENT_MODEL_SIZE, init: str = "none") -> keras.Model:
    """Build the study's shallow network, whose first kernel is read as one weight per pixel.

    Raises
    ------
    ValueError
        Starting weights were asked for; none exist for this network.
    """
    if init != "none":
        raise ValueError(f"The gradient model is trained from scratch: init must be 'none'. Received: init={init}")
    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Concatenate(name="replicate")([x, x, x])
    # From nearly zero, the weights are what the data taught. From Keras's default, noise as large as what is learnt
    # would stay in the kernel and be shown as importance; function and kernel shapes are the study's either way.
    start = keras.initializers.RandomNormal(stddev=1e-4)
    x = FFTConv2D(1, image_size, kernel_initializer=start, name="pixel_weights")(x)
    x = layers.MaxPooling2D(2)(x)
    x = FFTConv2D(1, image_size // 2, name="second_kernel")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Flatten()(x)
    x = layers.ReLU()(x)
    return keras.Model(image, layers.Dense(2, activation="softmax", name="probabilities")(x), name="gradient_model")


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture("xception", build_xception, 128, 2e-4),
        Architecture("gradient", build_gradient_model, GRADIENT_MODEL_SIZE, 1e-4),
    )
}


def log_odds(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Read the log-odds of PNEUMONIA off a network's outputs.

    Parameters
    ----------
    outputs
        Log-odds ``[n, 1]``, or probabilities of NORMAL and PNEUMONIA ``[n, 2]``.

    Returns
    -------
    Log-odds, shape ``[n]``; natural logarithm.
    """
    values = outputs.astype(np.float64)
    if values.shape[1] == 1:
        return values[:, 0]
    tiny = np.finfo(np.float32).tiny
    return np.asarray(np.log(values[:, 1] + tiny) - np.log(values[:, 0] + tiny))
