"""The sweep through whole graphs: several sources, several uses, images on their own, tensors on the way."""

import itertools
import math

import numpy as np
import onnx
import pytest
from onnx import helper

from export.differentiate import Scalar, add_gradients
from tests.unit.export.differentiate.gradients import (
    Network,
    check_gradients,
    check_model,
    gradients_in_reference,
    node,
    run_in_runtime,
)
from tests.unit.export.differentiate.reference_operators import run_reference
from tests.unit.export.differentiate.tensors import Array, relative_error


def weights(*shape: int) -> Array:
    values: Array = np.random.default_rng(sum(shape)).standard_normal(shape)
    return values / math.sqrt(math.prod(shape[1:]))


def classifier(size: int = 9) -> Network:
    """Two convolutions with a shortcut, a pooling that overlaps, and two logits."""
    nodes = [
        node("Conv", "x stem", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "b"),
        node("Conv", "b body", "c", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c ones zeros zeros ones", "d"),
        node("Add", "d b", "e"),
        node("Sigmoid", "e", "gate"),
        node("Mul", "e gate", "maps"),
        node("MaxPool", "maps", "p", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "p", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f head"),
    ]
    constants = {
        "stem": 2 * weights(4, 1, 3, 3),
        "body": weights(4, 4, 3, 3),
        "head": 4 * weights(4, 2),
        "ones": np.ones(4),
        "zeros": np.zeros(4),
    }
    return Network(nodes, {"x": ("n", 1, size, size)}, constants)


@pytest.mark.parametrize("size", [8, 9])
def test_a_classifier_agrees_with_differences(size: int) -> None:
    check_gradients(classifier(size))


def gradients(network: Network, scalar: Scalar, names: list[str], feeds: dict[str, Array]) -> dict[str, Array]:
    model = add_gradients(network.build(), scalar, {name: f"d{name}" for name in names})
    check_model(model, len(network.nodes))
    return gradients_in_reference(model, feeds, names)


def test_images_do_not_touch_each_other() -> None:
    network = classifier()
    images = np.random.default_rng(0).standard_normal((5, 1, 9, 9))
    scalar = Scalar("y", {1: 1.0})
    together = gradients(network, scalar, ["x", "maps"], {"x": images})
    for number, image in enumerate(images):
        alone = gradients(network, scalar, ["x", "maps"], {"x": image[np.newaxis]})
        for name, gradient in alone.items():
            np.testing.assert_allclose(together[name][number], gradient[0], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("images", [1, 5])
def test_one_file_serves_every_batch_in_onnxruntime(images: int) -> None:
    network, scalar = classifier(), Scalar("y", {0: -1.0, 1: 1.0})
    feeds = {"x": np.random.default_rng(images).standard_normal((images, 1, 9, 9))}
    expected = gradients(network, scalar, ["x", "maps"], feeds)
    model = add_gradients(network.build(np.float32), scalar, {"x": "dx", "maps": "dmaps"})
    for name, found in zip(("x", "maps"), run_in_runtime(model, feeds, ["dx", "dmaps"]), strict=True):
        assert relative_error(found, expected[name]) <= 1e-4


def test_the_difference_of_two_logits() -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 1, 9, 9))}
    first, second, both = (
        gradients(classifier(), Scalar("y", given), ["x"], feeds)["x"]
        for given in ({0: 1.0}, {1: 1.0}, {1: 1.0, 0: -1.0})
    )
    assert np.abs(second).max() > 0.01
    np.testing.assert_allclose(both, second - first, atol=1e-12)


def test_a_zero_weight_counts_nothing() -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 1, 9, 9))}
    assert not gradients(classifier(), Scalar("y", {0: 0.0}), ["x"], feeds)["x"].any()


def test_the_own_outputs_stay_as_they_are() -> None:
    model = classifier().build()
    differentiated = add_gradients(model, Scalar("y", {0: 1.0}), {"x": "dx", "maps": "dmaps"})
    assert [output.name for output in differentiated.graph.output] == ["y", "dx", "dmaps"]
    assert list(differentiated.graph.node[: len(model.graph.node)]) == list(model.graph.node)
    feeds = {"x": np.random.default_rng(2).standard_normal((3, 1, 9, 9))}
    np.testing.assert_array_equal(run_reference(differentiated, ["y"], feeds)[0], run_reference(model, ["y"], feeds)[0])


def test_the_given_model_is_not_changed() -> None:
    model = classifier().build()
    before = model.SerializeToString(deterministic=True)
    add_gradients(model, Scalar("y", {0: 1.0}), {"x": "dx"})
    assert model.SerializeToString(deterministic=True) == before


def test_a_source_on_the_way_to_another() -> None:
    """``y = sin(x^2)``: the gradients of x, of the square and of y itself."""
    network = Network([node("Mul", "x x", "square"), node("Sin", "square")], {"x": ("n", 3)})
    x = np.array([[0.5, -1.0, 2.0]])
    found = gradients(network, Scalar("y", {0: 1.0, 2: 3.0}), ["x", "square", "y"], {"x": x})
    weighted = np.array([[1.0, 0.0, 3.0]])
    np.testing.assert_allclose(found["y"], weighted)
    np.testing.assert_allclose(found["square"], weighted * np.cos(x**2))
    np.testing.assert_allclose(found["x"], weighted * np.cos(x**2) * 2 * x)


def test_a_source_that_is_used_behind_another_too() -> None:
    """``y = h * x`` with ``h = x^2``: the gradient of h holds x fast, that of x does not."""
    network = Network([node("Mul", "x x", "h"), node("Mul", "h x")], {"x": ("n", 2)})
    found = gradients(network, Scalar("y", {0: 1.0, 1: 1.0}), ["h", "x"], {"x": np.array([[2.0, -3.0]])})
    assert found["h"].tolist() == [[2, -3]]
    assert found["x"].tolist() == [[12, 27]]


def test_sources_of_several_shapes_at_once() -> None:
    network = Network(
        [node("MatMul", "a w", "h"), node("Add", "h b", "s"), node("Tanh", "s")],
        {"a": ("n", 3), "w": (3, 2), "b": (2,)},
    )
    check_gradients(network)


def test_a_tensor_used_many_times() -> None:
    """``y = x + x + x * x + (x - x)``."""
    nodes = [node("Sum", "x x xx none"), node("Mul", "x x", "xx"), node("Sub", "x x", "none")]
    network = Network([nodes[1], nodes[2], nodes[0]], {"x": ("n", 2)})
    found = gradients(network, Scalar("y", {0: 1.0, 1: 1.0}), ["x"], {"x": np.array([[3.0, -4.0]])})
    assert found["x"].tolist() == [[8, -6]]


def test_what_lies_behind_the_scalar_counts_nothing() -> None:
    network = Network([node("Mul", "x x", "logit"), node("Exp", "logit")], {"x": ("n", 2)})
    found = gradients(network, Scalar("logit", {1: 1.0}), ["x"], {"x": np.array([[3.0, -4.0]])})
    assert found["x"].tolist() == [[0, -8]]


def test_a_scalar_with_image_axes_is_numbered_row_by_row() -> None:
    network = Network([node("Mul", "x x")], {"x": ("n", 2, 3)})
    found = gradients(network, Scalar("y", {4: 1.0}), ["x"], {"x": np.ones((1, 2, 3))})
    assert found["x"].tolist() == [[[0, 0, 0], [0, 2, 0]]]


def test_one_number_for_each_image() -> None:
    network = Network([node("ReduceSum", "x axes", keepdims=0)], {"x": ("n", 3)}, {"axes": np.array([1])})
    found = gradients(network, Scalar("y", {0: 2.0}), ["x"], {"x": np.ones((2, 3))})
    assert found["x"].tolist() == [[2, 2, 2], [2, 2, 2]]


def test_a_branch_that_reads_the_source_is_on_the_way() -> None:
    """``y = x + (if: relu of x)``: without a rule for If, half of the gradient would be missing."""
    value = helper.make_tensor_value_info("branch", onnx.TensorProto.DOUBLE, ["n", 4])
    branches = [helper.make_graph([node(op_type, "x", "branch")], op_type, [], [value]) for op_type in ("Relu", "Neg")]
    nodes = [node("If", "which", "chosen", then_branch=branches[0], else_branch=branches[1]), node("Add", "x chosen")]
    network = Network(nodes, {"x": ("n", 4)}, {"which": np.array(True)})
    with pytest.raises(ValueError, match="no rule for the operator If"):
        add_gradients(network.build(), Scalar("y", {0: 1.0}), {"x": "dx"})


@pytest.mark.parametrize("opset", [13, 14, 15, 16, 17])
def test_every_opset_from_13_on(opset: int) -> None:
    nodes = [
        node("Squeeze", "x axis", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("Split", "p", "a b", axis=1),
        node("Mul", "a b", "m"),
        node("Unsqueeze", "m axis", "u"),
        node("ReduceSum", "u axis"),
    ]
    check_gradients(Network(nodes, {"x": ("n", 1, 6)}, {"axis": np.array([1])}, opset=opset))


def test_names_of_its_own_never_collide() -> None:
    """A model that was differentiated once can be differentiated again: here to ``6 x`` from ``x^3``."""
    network = Network([node("Mul", "x x", "square"), node("Mul", "square x")], {"x": ("n", 2)})
    first = add_gradients(network.build(), Scalar("y", {0: 1.0, 1: 1.0}), {"x": "dx"})
    second = add_gradients(first, Scalar("dx", {0: 1.0, 1: 1.0}), {"x": "ddx"})
    check_model(second, 0)
    names = list(itertools.chain.from_iterable(each.output for each in second.graph.node))
    assert len(names) == len(set(names))
    (found,) = run_reference(second, ["ddx"], {"x": np.array([[2.0, -1.0]])})
    assert found.tolist() == [[12, -6]]
