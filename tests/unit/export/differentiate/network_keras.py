"""Keras's own networks, narrower, and a small one of many operators; with statistics like those of trained ones."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Topology:
    """A network of `keras.applications`, by how much to narrow it, and its last activation (the very last if empty)."""

    build: Callable[[tuple[int, int, int]], keras.Model]
    size: int
    narrowing: int
    activation: str = ""


def _application(name: str, **arguments: object) -> Callable[[tuple[int, int, int]], keras.Model]:
    def build(shape: tuple[int, int, int]) -> keras.Model:
        return getattr(keras.applications, name)(include_top=False, weights=None, input_shape=shape, **arguments)

    return build


# The sizes are odd, so that strides leave pixels over, and no two are the same.
TOPOLOGIES: Mapping[str, Topology] = {
    "vgg16": Topology(_application("VGG16"), 75, 4, "block5_conv3"),
    "resnet50": Topology(_application("ResNet50"), 95, 8),
    "xception": Topology(_application("Xception"), 83, 8),
    "inception_resnet_v2": Topology(_application("InceptionResNetV2"), 107, 8),
    "mobilenet_v2": Topology(_application("MobileNetV2", alpha=0.35), 77, 1),
    "mobilenet_v3_small": Topology(_application("MobileNetV3Small", include_preprocessing=False), 91, 2),
}


def build_network(topology: Topology, images: NDArray[np.float64]) -> keras.Model:
    """Build a float64 network from `image` to the last activation ``[n, h, w, c]`` and two scores ``[n, 2]``.

    The head reads means and places, so that the activation's gradient varies over both; its statistics are those of
    the images.
    """
    wide = topology.build((topology.size, topology.size, 3))
    with _double_precision():
        backbone = _narrow(wide, topology.narrowing)
        activation = backbone.get_layer(topology.activation).output if topology.activation else backbone.output
        x = layers.Concatenate()([layers.GlobalAveragePooling2D()(backbone.output), layers.Flatten()(backbone.output)])
        scores = layers.Dense(2)(layers.Dense(8, activation="tanh")(x))
        network = keras.Model(backbone.input, [activation, scores])
    normalise(network, images)
    return network


def build_small_network(size: int, images: NDArray[np.float64]) -> keras.Model:
    """Build a small float64 network of layers that Keras's own ones lack, to an activation and two probabilities."""
    with _double_precision():
        image = keras.Input((size, size, 3), name="image", dtype="float64")
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(layers.Conv2D(6, 5, strides=2, padding="same")(image)))
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
        y = layers.SeparableConv2D(6, 3, padding="same", activation=partial(keras.ops.gelu, approximate=True))(x)
        x = layers.Add()([x, layers.Conv2D(6, 3, dilation_rate=2, padding="same", activation="elu")(y)])
        gates = layers.Conv2D(6, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        x = layers.Conv2D(8, 3, activation="silu")(layers.Multiply()([x, gates]))
        x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(layers.AveragePooling2D(3, 2, padding="same")(x))
        activation = layers.Conv2D(8, 3, activation="softplus")(x)
        x = layers.Concatenate()([layers.Flatten()(activation), layers.GlobalMaxPooling2D()(x)])
        network = keras.Model(image, [activation, layers.Dense(2, activation="softmax")(x)])
    normalise(network, images)
    return network


def _narrow(model: keras.Model, divisor: int) -> keras.Model:
    def clone(layer: keras.Operation) -> keras.Operation:
        config = layer.get_config()
        if isinstance(layer, layers.Layer):
            config["dtype"] = "float64"
        if "filters" in config:
            config["filters"] //= divisor
        return type(layer).from_config(config)

    image = keras.Input(model.input_shape[1:], name="image", dtype="float64")
    return keras.models.clone_model(model, input_tensors=image, clone_function=clone)


@contextmanager
def _double_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def normalise(network: keras.Model, images: NDArray[np.float64]) -> None:
    """Give batch normalisations random scales and offsets, and statistics near those of the images.

    Statistics drawn at random would let activations vanish or saturate within a few layers, and the gradient too.
    """
    generator = np.random.default_rng(0)
    normalisations = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in normalisations:
        layer.momentum = 0.0  # the next pass in training mode sets the statistics to those of its batch
        if layer.gamma is not None:
            layer.gamma.assign(generator.uniform(0.5, 1.5, layer.gamma.shape))
        layer.beta.assign(generator.normal(0, 0.3, layer.beta.shape))
    network(images, training=True)
    for layer in normalisations:
        layer.moving_variance.assign(layer.moving_variance * generator.uniform(0.7, 1.4, layer.moving_variance.shape))
