"""Class activation maps against the network's own answer."""

import keras
import numpy as np
import pytest
from keras import layers

from export.networks.architectures import build_transfer_model
from export.training.activation import class_activation

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)


def small_backbone(**_kwargs: object) -> keras.Model:
    image = keras.Input((32, 32, 3))
    return keras.Model(image, layers.Conv2D(6, 4, strides=4, activation="relu")(image))


def build(head: str) -> keras.Model:
    keras.utils.set_random_seed(2)
    return build_transfer_model(small_backbone, lambda x: layers.Concatenate()([x / 255] * 3), 32, head, False)


def test_the_mean_of_the_signed_map_is_the_log_odds() -> None:
    """Zhou et al. 2016: the score is the mean of the map, but for the bias. What is negative is cut off afterwards."""
    model = build("average")
    maps = class_activation(model, IMAGES)
    kernel, bias = model.get_layer("log_odds").get_weights()
    model.get_layer("log_odds").set_weights([-kernel, bias])
    against = class_activation(model, IMAGES)
    model.get_layer("log_odds").set_weights([kernel, bias])
    signed = (maps - against).mean(axis=(1, 2)) + bias
    np.testing.assert_allclose(signed, model.predict(IMAGES.astype(np.float32), verbose=0)[:, 0], atol=1e-5)
    assert maps.shape == (5, 8, 8)
    assert maps.min() == 0
    assert (maps * against).max() == 0


def test_another_head_has_no_such_map() -> None:
    with pytest.raises(ValueError, match="convolutional"):
        class_activation(build("convolutional"), IMAGES)
