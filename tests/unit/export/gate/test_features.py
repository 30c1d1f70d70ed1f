"""Which map the gate looks at, and that nothing is computed twice for it."""

from collections import Counter

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers
from numpy.typing import NDArray

from export.evaluation.calibration import PlattScaling, sigmoid
from export.gate.features import gate_features, with_gate_features
from export.gate.fitting import ClassifiedFeatures, Kind, fit_gate
from export.networks.architectures import ARCHITECTURES
from export.release.conversion import convert_classifier, require_gate_parity

KINDS = (Kind("frontal", "adults"), Kind("frontal", "children"), Kind("rotated", "children", 1))


@pytest.fixture(scope="module")
def nested() -> keras.Model:
    """A backbone with a residual sum at 1/16 of the side, inside a network with a head, as the shipped one."""
    keras.utils.set_random_seed(1)
    inner = keras.Input((64, 64, 3))
    x = layers.Conv2D(6, 3, strides=4, padding="same", activation="relu")(inner)
    x = layers.Add()([x, layers.Conv2D(6, 1)(x)])  # at 1/4: too early
    y = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(x)
    y = layers.Add(name="wanted")([y, layers.Conv2D(8, 1, strides=4)(x)])
    backbone = keras.Model(inner, layers.Conv2D(5, 3, strides=2, padding="same", activation="relu")(y), name="backbone")
    image = keras.Input((64, 64, 1), name="image")
    z = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    z = layers.Identity(name="features")(backbone(layers.Concatenate()([z, z, z])))
    return keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(z)))


def images(n: int, side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 1), dtype=np.uint8)


def test_features_are_the_means_of_the_first_residual_sum_at_a_sixteenth(nested: keras.Model) -> None:
    batch = images(3, 64).astype(np.float32)
    backbone = nested.get_layer("backbone")
    inner = keras.Model(backbone.input, backbone.get_layer("wanted").output)
    maps = np.asarray(inner.predict_on_batch(np.repeat(batch / 127.5 - 1, 3, axis=-1)))
    assert maps.shape == (3, 4, 4, 8)
    expected = maps.mean(axis=(1, 2))
    np.testing.assert_allclose(gate_features(nested).predict_on_batch(batch), expected, rtol=1e-4, atol=1e-5)
    outputs, features = with_gate_features(nested).predict_on_batch(batch)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, nested.predict_on_batch(batch), rtol=1e-5, atol=1e-6)


def test_xception_is_looked_at_behind_its_fourth_block() -> None:
    """728 channels: the sum of block 4, the first at 1/16 of the side."""
    network = ARCHITECTURES["xception"].build(71, "average", False)
    looked_at = gate_features(network)
    assert looked_at.output_shape == (None, 728)
    names = [layer.name for part in looked_at.layers if isinstance(part, keras.Model) for layer in part.layers]
    assert "block4_pool" in names
    assert "block5_sepconv1_act" not in names


def test_the_graph_answers_as_mahalanobis_computed_by_hand() -> None:
    """From grey levels: one strided convolution and a ReLU in numpy, then the definition of the distance."""
    keras.utils.set_random_seed(2)
    image = keras.Input((32, 32, 1), name="image")
    x = layers.Conv2D(4, 16, strides=16, activation="relu", name="blocks")(image)
    network = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    kernel, bias = (np.asarray(w, dtype=np.float64) for w in network.get_layer("blocks").get_weights())

    def features_by_hand(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
        blocks = batch[..., 0].reshape(-1, 2, 16, 2, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 256)
        return np.asarray(np.maximum(blocks @ kernel.reshape(256, 4) + bias, 0).mean(axis=1))

    training, others = images(60, 32), np.random.default_rng(5).integers(0, 90, (7, 32, 32, 1), dtype=np.uint8)
    fitted_to, members = features_by_hand(training), np.arange(60) % 2
    kinds = [KINDS[1 + k] for k in members]
    gate = fit_gate(ClassifiedFeatures(fitted_to.astype(np.float32), kinds, [""] * 60))
    model = convert_classifier(network, PlattScaling(0.7, -0.4), gate)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = dict(zip((o.name for o in session.get_outputs()), session.run(None, {"image": others}), strict=True))

    centres = np.stack([fitted_to[members == k].mean(axis=0) for k in (0, 1)])
    deviations = fitted_to - centres[members]
    inverse = np.linalg.inv(deviations.T @ deviations / 60)
    from_centres = features_by_hand(others)[:, np.newaxis] - centres
    squared = np.einsum("nci,ij,ncj->nc", from_centres, inverse, from_centres)
    assert answers["ood_score"].shape == (7, 1)
    np.testing.assert_allclose(answers["ood_score"][:, 0], np.sqrt(squared.min(axis=1) / 4), rtol=1e-2)
    np.testing.assert_allclose(answers["presentation"][:, 0], sigmoid((squared[:, 1] - squared[:, 0]) / 2), atol=1e-2)
    np.testing.assert_allclose(answers["presentation"].sum(axis=1), 1, atol=1e-5)


def test_the_gate_adds_no_convolution(nested: keras.Model) -> None:
    features = np.asarray(gate_features(nested).predict_on_batch(images(30, 64).astype(np.float32)))
    gate = fit_gate(ClassifiedFeatures(features, [KINDS[i % 3] for i in range(30)], [""] * 30))
    counts = [
        Counter(node.op_type for node in convert_classifier(nested, PlattScaling(1, 0), g).graph.node)["Conv"]
        for g in (None, gate)
    ]
    assert counts[0] == counts[1] == 5


def test_a_converted_gate_that_answers_otherwise_is_refused(nested: keras.Model) -> None:
    batch = images(30, 64)
    features = np.asarray(gate_features(nested).predict_on_batch(batch.astype(np.float32)))
    gate = fit_gate(ClassifiedFeatures(features, [KINDS[i % 3] for i in range(30)], [""] * 30))
    model = convert_classifier(nested, PlattScaling(1, 0), gate)
    require_gate_parity(model, nested, gate, batch)
    other = fit_gate(ClassifiedFeatures(2 * features, [KINDS[i % 3] for i in range(30)], [""] * 30))
    with pytest.raises(ValueError, match="ood_score"):
        require_gate_parity(model, nested, other, batch)
