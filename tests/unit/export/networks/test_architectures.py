"""The backbones of the study: normalisation, heads, and conversion without loss."""

from collections.abc import Callable

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from export.evaluation.calibration import PlattScaling
from export.networks.architectures import ARCHITECTURES, build_transfer_model, log_odds
from export.release.conversion import convert_classifier, round_kernels_to_float16
from export.release.folding import fold_batch_normalization

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 75, 75, 1), dtype=np.uint8)
PARAMETERS = {  # of the published backbones without their ImageNet classifier (keras.io/api/applications), and a head
    "vgg16": 14_714_688 + 512 + 1,
    "resnet50": 23_587_712 + 2048 + 1,
    "inception_resnet_v2": 54_336_736 + 1536 + 1,
    "xception": 20_861_480 + 2048 + 1,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_backbones_are_the_published_ones(name: str) -> None:
    model = ARCHITECTURES[name].build(96, "average", False)
    assert model.count_params() == PARAMETERS[name]
    assert model.output_shape == (None, 1)


def backbone_that_shows_its_input(**_kwargs: object) -> keras.Model:
    """No network at all: what the normalisation hands over comes out again."""
    image = keras.Input((75, 75, 3))
    return keras.Model(image, layers.Identity()(image))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("vgg16", keras.applications.vgg16.preprocess_input),
        ("resnet50", keras.applications.resnet50.preprocess_input),
        ("inception_resnet_v2", keras.applications.inception_resnet_v2.preprocess_input),
        ("xception", keras.applications.xception.preprocess_input),
    ],
)
def test_grey_levels_are_normalised_as_keras_does(name: str, reference: Callable[[np.ndarray], np.ndarray]) -> None:
    model = ARCHITECTURES[name].build(75, "average", False)
    handed_over = keras.Model(model.input, model.get_layer("replicate").output)(IMAGES.astype(np.float32))
    expected = reference(np.repeat(IMAGES, 3, axis=-1).astype(np.float32))
    np.testing.assert_allclose(handed_over, expected, atol=1e-4)


def test_the_studys_head_has_convolutional_and_dense_layers() -> None:
    model = build_transfer_model(
        backbone_that_shows_its_input, lambda x: layers.Concatenate()([x] * 3), 75, "convolutional", False
    )
    kinds = [type(layer).__name__ for layer in model.layers[-6:]]
    assert kinds == ["Conv2D", "Identity", "GlobalAveragePooling2D", "Dense", "Dropout", "Dense"]


def test_there_is_no_other_head() -> None:
    with pytest.raises(ValueError, match="head=flat"):
        ARCHITECTURES["vgg16"].build(75, "flat", False)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])  # the others take minutes; `convert` checks every run
def test_a_backbone_converts_without_loss(name: str) -> None:
    """With moving statistics that are not trivial, so that folding them into the kernels is put to the test."""
    keras.utils.set_random_seed(0)
    model = ARCHITECTURES[name].build(75, "average", False)
    generator = np.random.default_rng(0)
    for layer in model.get_layer("backbone").layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(generator.normal(0, 0.05, layer.moving_mean.shape))
            layer.moving_variance.assign(generator.uniform(0.8, 1.2, layer.moving_variance.shape))
    before = log_odds(model.predict(IMAGES.astype(np.float32), verbose=0))
    fold_batch_normalization(model)
    np.testing.assert_allclose(log_odds(model.predict(IMAGES.astype(np.float32), verbose=0)), before, atol=1e-3)
    round_kernels_to_float16(model)
    expected = 0.7 * log_odds(model.predict(IMAGES.astype(np.float32), verbose=0)) - 0.4
    file = convert_classifier(model, PlattScaling(0.7, -0.4)).SerializeToString()
    (logits,) = onnxruntime.InferenceSession(file).run(["logits"], {"image": IMAGES})
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(logits[:, 1], expected, atol=2e-3)
