"""Folds batch normalisation into the convolutions before it, for inference."""

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray


def fold_batch_normalization(model: keras.Model) -> None:
    """Move each normalisation's scale into the kernel before it, so that the normalisation only adds.

    The function of the network stays the same up to rounding. The converter folds scales anyway; doing it first
    means that the kernels that are rounded to float16 are the kernels that are stored.
    Layers of nested models are folded too. A normalisation that does not follow a convolution is left as it is.
    """
    for layer in _flatten(model):
        if isinstance(layer, layers.BatchNormalization):
            source = layer.input._keras_history.operation
            if isinstance(source, layers.Conv2D | layers.SeparableConv2D):
                _fold(source, layer)


def _flatten(model: keras.Model) -> list[layers.Layer]:
    nested = (_flatten(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers)
    return [layer for group in nested for layer in group]


def _fold(convolution: layers.Layer, normalization: layers.BatchNormalization) -> None:
    variance, mean = _values(normalization.moving_variance), _values(normalization.moving_mean)
    gamma = _values(normalization.gamma) if normalization.scale else np.ones_like(mean)
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    kernel = convolution.pointwise_kernel if isinstance(convolution, layers.SeparableConv2D) else convolution.kernel
    kernel.assign(_values(kernel) * scale)  # the last axis of a kernel is the output channel
    bias = _values(convolution.bias) if convolution.use_bias else np.zeros_like(mean)
    if convolution.use_bias:
        convolution.bias.assign(np.zeros_like(mean))
    normalization.beta.assign(_values(normalization.beta) + (bias - mean) * scale)
    normalization.moving_mean.assign(np.zeros_like(mean))
    normalization.moving_variance.assign(np.full_like(mean, 1 - normalization.epsilon))
    if normalization.scale:
        normalization.gamma.assign(np.ones_like(mean))


def _values(variable: keras.Variable) -> NDArray[np.float64]:
    return np.asarray(variable, dtype=np.float64)
