"""Class activation maps of a trained network (Zhou et al. 2016): where its answer PNEUMONIA comes from."""

import keras
import numpy as np
from numpy.typing import NDArray

from export.networks.architectures import FEATURES

_BATCH = 32


def class_activation(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weigh the last feature maps by the last layer's weights; what speaks against PNEUMONIA becomes 0.

    Parameters
    ----------
    network
        With the head ``average``: the last layer sees nothing but the means of the feature maps.
    images
        Grey levels, shape ``[n, h, w, 1]``, 0 to 255.

    Returns
    -------
    Shape ``[n, gh, gw]``, not negative.

    Raises
    ------
    ValueError
        The network has another head.
    """
    if any(layer.name == "head_convolution" for layer in network.layers):
        raise ValueError("The network must have the head 'average'. Received: head='convolutional'")
    features = keras.Model(network.input, network.get_layer(FEATURES).output)
    weights = np.asarray(network.get_layer("log_odds").kernel)[:, 0]
    maps = [
        np.maximum(features.predict_on_batch(images[i : i + _BATCH].astype(np.float32)) @ weights, 0)
        for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate(maps).astype(np.float32)
