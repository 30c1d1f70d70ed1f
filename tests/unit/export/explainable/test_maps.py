"""The maps against their definitions, computed again in numpy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from export.differentiate import DifferentiationError, Scalar
from export.explainable.maps import MAPS, Explained, add_maps
from tests.unit.export.explainable.networks import DENSE, KERNEL, SIDE, classifier, forward, radiographs

EXPLAINED = Explained(Scalar("logits", {1: 1.0, 0: -1.0}), "activation", "grey")
SLOPES = DENSE[:, 1] - DENSE[:, 0]  # of the log-odds by each channel's mean
CELLS = (SIDE // 2) ** 2


def run(model: onnx.ModelProto, images: NDArray[np.uint8]) -> Mapping[str, Any]:
    names = [output.name for output in model.graph.output]
    return dict(zip(names, ReferenceEvaluator(model).run(None, {"image": images}), strict=True))


@pytest.fixture(scope="module")
def answer() -> Mapping[str, Any]:
    return run(add_maps(classifier(), EXPLAINED), radiographs())


def test_the_classifiers_own_outputs_stay(answer: Mapping[str, Any]) -> None:
    np.testing.assert_array_equal(answer["logits"], run(classifier(), radiographs())["logits"])
    np.testing.assert_allclose(answer["logits"], forward(radiographs())["logits"], rtol=1e-12)


def test_grad_cam_behind_a_mean_is_what_each_field_adds_to_the_log_odds(answer: Mapping[str, Any]) -> None:
    """Class activation mapping (Zhou et al. 2016): before negative values are cut, the fields sum to the log-odds."""
    activation = forward(radiographs())["activation"]
    shares = np.einsum("nchw,c->nhw", activation, SLOPES) / CELLS
    np.testing.assert_allclose(answer["grad_cam"], np.maximum(shares, 0), rtol=1e-12)
    logits = forward(radiographs())["logits"]
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), logits[:, 1] - logits[:, 0], rtol=1e-12)
    assert (shares < 0).any() and (shares > 0).any()


def test_grad_cam_plus_plus_is_the_papers_without_the_common_factor(answer: Mapping[str, Any]) -> None:
    """Equations 10 and 19 of Chattopadhay et al. (2018) for Y = exp(z), whose derivatives are exp(z) g, g^2 and g^3."""
    state = forward(radiographs())
    z = state["logits"][:, 1] - state["logits"][:, 0]
    for image, activation in enumerate(state["activation"]):
        expected = np.zeros(activation.shape[1:])
        for channel, values in enumerate(activation):
            first, second, third = (np.exp(z[image]) * (SLOPES[channel] / CELLS) ** power for power in (1, 2, 3))
            alpha = second / (2 * second + values.sum() * third)
            expected += CELLS * alpha * max(first, 0) * values
        np.testing.assert_allclose(answer["grad_cam_plus_plus"][image] * np.exp(z[image]), expected, rtol=1e-10)
        assert expected.max() > 0


def test_saliency_is_the_change_of_the_log_odds_per_grey_level(answer: Mapping[str, Any]) -> None:
    images = radiographs().astype(np.float64)
    for row, column in ((0, 0), (2, 3), (5, 5)):
        brighter, darker = images.copy(), images.copy()
        brighter[:, row, column] += 1e-4
        darker[:, row, column] -= 1e-4
        change = [forward(each)["logits"] @ [-1, 1] for each in (brighter, darker)]
        slope = (change[0] - change[1]) / 2e-4
        np.testing.assert_allclose(answer["saliency"][:, row, column], slope, atol=1e-9)
    assert (answer["saliency"] < 0).any() and (answer["saliency"] > 0).any()


def test_a_float_image_with_colours_keeps_its_shape() -> None:
    explained = Explained(Scalar("logits", {1: 1.0}), "activation", "activation")
    model = add_maps(classifier(), explained, ["saliency"])
    gradient = run(model, radiographs())["saliency"]
    assert gradient.shape == (3, KERNEL.shape[0], SIDE // 2, SIDE // 2)
    np.testing.assert_allclose(gradient[0, :, 0, 0], DENSE[:, 1] / CELLS, rtol=1e-12)


def test_only_the_wanted_maps_are_added() -> None:
    model = add_maps(classifier(), EXPLAINED, ["grad_cam"])
    assert [output.name for output in model.graph.output] == ["logits", "grad_cam"]
    assert len(model.graph.node) < len(add_maps(classifier(), EXPLAINED).graph.node)
    with pytest.raises(ValueError, match=r"Maps must be among .* Received: \['smooth'\]"):
        add_maps(classifier(), EXPLAINED, ["smooth", "grad_cam"])


def test_an_output_of_the_same_name_is_refused() -> None:
    model = classifier()
    model.graph.node[-1].output[0] = model.graph.output[0].name = "saliency"
    with pytest.raises(DifferentiationError, match="a name of its own"):
        add_maps(model, Explained(Scalar("saliency", {1: 1.0}), "activation", "grey"))


@pytest.mark.parametrize("count", [1, 5])
def test_the_batch_is_free_and_images_do_not_mix(count: int) -> None:
    model = add_maps(classifier(), EXPLAINED)
    images = radiographs(count)
    together = run(model, images)
    alone = run(model, images[-1:])
    for name in MAPS:
        assert together[name].shape[0] == count
        np.testing.assert_allclose(together[name][-1:], alone[name], rtol=1e-12)


def test_the_strongest_channels_of_a_layer_come_first() -> None:
    explained = Explained(EXPLAINED.scalar, EXPLAINED.layer, EXPLAINED.source, ("maps", "activation"))
    answer, state = run(add_maps(classifier(), explained, ["grad_cam"]), radiographs()), forward(radiographs())
    for number, layer in ((1, "maps"), (2, "activation")):
        strength = np.abs(state[layer]).mean(axis=(2, 3))
        order = np.argsort(-strength, axis=1)
        np.testing.assert_array_equal(answer[f"features_{number}_channels"], order)
        expected = np.take_along_axis(state[layer], order[:, :, np.newaxis, np.newaxis], axis=1)
        np.testing.assert_allclose(answer[f"features_{number}"], expected, rtol=1e-12)


def test_of_many_channels_sixteen_are_given() -> None:
    model = classifier()
    many = helper.make_node("Concat", ["maps"] * 6, ["many"], axis=1)
    model.graph.node.append(many)
    explained = Explained(EXPLAINED.scalar, EXPLAINED.layer, EXPLAINED.source, ("many",))
    written = add_maps(model, explained, ["grad_cam"])
    assert run(written, radiographs())["features_1"].shape == (3, 16, 3, 3)
