"""The networks. All take grey levels 0 to 255 of shape ``[n, h, w, 1]`` and hold their own normalisation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from export.networks.fft_convolution import FFTConv2D

GRADIENT_MODEL_SIZE = 128
FEATURES = "features"  # the layer with the last feature maps, before they are averaged
HEADS = ("average", "convolutional")
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # blue, green, red, as VGG16 and ResNet50 were trained (Simonyan 2014)


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a network and how it is trained unless told otherwise.

    `build` takes the image size, the head and whether to load Keras's own ImageNet weights. The network answers the
    log-odds of PNEUMONIA ``[n, 1]`` or the probabilities of both labels ``[n, 2]``.
    """

    name: str
    build: Callable[[int, str, bool], keras.Model]
    image_size: int
    learning_rate: float


def build_transfer_model(
    application: Callable[..., keras.Model],
    normalise: Callable[[keras.KerasTensor], keras.KerasTensor],
    image_size: int,
    head: str,
    imagenet: bool,
) -> keras.Model:
    """Put a head with one log-odds output on a backbone of `keras.applications`, for transfer learning.

    The head ``average`` is global average pooling and one unit: Grad-CAM on it is a matrix product. ``convolutional``
    is the study's: a few convolutional and dense layers on top.

    Raises
    ------
    ValueError
        There is no such head.
    """
    if head not in HEADS:
        raise ValueError(f"The head must be one of {HEADS}. Received: head={head}")
    image = keras.Input((image_size, image_size, 1), name="image")
    backbone = application(
        include_top=False, weights="imagenet" if imagenet else None, input_shape=(image_size, image_size, 3)
    )
    backbone.name = "backbone"
    x = backbone(normalise(image))
    if head == "convolutional":
        x = layers.Conv2D(128, 3, padding="same", activation="relu", name="head_convolution")(x)
    x = layers.GlobalAveragePooling2D(name="average")(layers.Identity(name=FEATURES)(x))
    if head == "convolutional":
        x = layers.Dense(64, activation="relu", name="head_dense")(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(image, layers.Dense(1, name="log_odds", dtype="float32")(x))


def _to_unit_range(image: keras.KerasTensor) -> keras.KerasTensor:
    """Grey levels as -1 to 1 on three channels."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    return layers.Concatenate(name="replicate")([x, x, x])


def _to_caffe_range(image: keras.KerasTensor) -> keras.KerasTensor:
    """Grey levels less the mean of each ImageNet channel, blue first."""
    return layers.Concatenate(name="replicate")([layers.Rescaling(1.0, offset=-mean)(image) for mean in _CAFFE_MEANS])


def build_gradient_model(
    image_size: int = GRADIENT_MODEL_SIZE, head: str = "average", imagenet: bool = False
) -> keras.Model:
    """Build the study's shallow network, whose first kernel is read as one weight per pixel.

    Raises
    ------
    ValueError
        Another head or ImageNet weights were asked for; this network has a head of its own and no weights exist.
    """
    if head != "average" or imagenet:
        raise ValueError(
            f"The gradient model has its own head and starts from none. Received: head={head}, imagenet={imagenet}"
        )
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


def _transfer(
    name: str,
    application: Callable[..., keras.Model],
    normalise: Callable[[keras.KerasTensor], keras.KerasTensor],
    learning_rate: float,
) -> Architecture:
    return Architecture(name, partial(build_transfer_model, application, normalise), 128, learning_rate)


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        _transfer("vgg16", keras.applications.VGG16, _to_caffe_range, 5e-5),
        _transfer("resnet50", keras.applications.ResNet50, _to_caffe_range, 3e-4),
        _transfer("inception_resnet_v2", keras.applications.InceptionResNetV2, _to_unit_range, 3e-4),
        _transfer("xception", keras.applications.Xception, _to_unit_range, 2e-4),
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
