"""What cannot be differentiated is said so, with the operator and the node."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.differentiate import DifferentiationError, NoRule, NotConnected, Scalar, UnknownShape, add_gradients
from tests.unit.export.differentiate.gradients import check_model, node
from tests.unit.export.differentiate.reference_operators import run_reference
from tests.unit.export.differentiate.tensors import Array

IMAGE: dict[str, Sequence[int | str]] = {"x": ["n", 2, 4, 4]}
ROW: dict[str, Sequence[int | str]] = {"x": ["n", 4]}


def model_of(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, Array] | None = None,
    *,
    output: Sequence[int | str | None] = ("n", 4),
    element_type: int = TensorProto.FLOAT,
    opsets: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """Make a model of float32, whose output `y` has a shape that is given."""
    graph = helper.make_graph(
        list(nodes),
        "model",
        [helper.make_tensor_value_info(name, element_type, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(output))],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 17}).items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def differentiate(model: onnx.ModelProto, weights: Mapping[int, float] | None = None) -> onnx.ModelProto:
    return add_gradients(model, Scalar("y", weights or {0: 1.0}), {"x": "dx"})


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def integers(*values: int) -> Array:
    return np.array(values, np.int64)


NO_RULE: dict[str, tuple[onnx.ModelProto, str]] = {
    "CumSum": (model_of([node("CumSum", "x axis")], ROW, {"axis": np.array(1)}), "CumSum"),
    "training": (
        model_of(
            [node("BatchNormalization", "x a a a a", "y mean variance", training_mode=1)],
            IMAGE,
            {"a": ones(2)},
            output=("n", 2, 4, 4),
        ),
        "BatchNormalization in training mode",
    ),
    "training in opset 13": (
        model_of(
            [node("BatchNormalization", "x a a a a", "y mean variance saved_mean saved_variance")],
            IMAGE,
            {"a": ones(2)},
            output=("n", 2, 4, 4),
            opsets={"": 13},
        ),
        "BatchNormalization in training mode",
    ),
    "dropout in training": (
        model_of([node("Dropout", "x ratio on")], ROW, {"ratio": np.array(0.5, np.float32), "on": np.array(True)}),
        "Dropout in training mode",
    ),
    "kernel": (
        model_of(
            [node("Slice", "x zero one zero", "w"), node("Conv", "x w")],
            IMAGE,
            {"zero": integers(0), "one": integers(1)},
            output=("n", 1, 1, 1),
        ),
        "Conv with respect to its input 1",
    ),
    "scale": (
        model_of(
            [node("ReduceSum", "x axes", "s", keepdims=0), node("LayerNormalization", "x s")],
            ROW,
            {"axes": integers(0)},
        ),
        "LayerNormalization with respect to its input 1",
    ),
    "reflection": (
        model_of([node("Pad", "x pads", mode="reflect")], ROW, {"pads": integers(0, 1, 0, 1)}, output=("n", 6)),
        "Pad in mode 'reflect'",
    ),
    "places of maxima": (
        model_of(
            [
                node("MaxPool", "x", "m places", kernel_shape=[2, 2], strides=[2, 2]),
                node("MaxUnpool", "m places", kernel_shape=[2, 2], strides=[2, 2]),
            ],
            IMAGE,
            output=("n", 2, 4, 4),
        ),
        "MaxUnpool",
    ),
    "a further output": (
        model_of(
            [node("LayerNormalization", "x scale", "normal mean deviation"), node("Sub", "normal mean")],
            ROW,
            {"scale": ones(4)},
        ),
        "LayerNormalization whose further outputs are used",
    ),
    "vector": (model_of([node("MatMul", "x v")], {"x": ["n", 2, 4]}, {"v": ones(4)}, output=("n", 2)), "MatMul with a"),
    "indices in a table": (
        model_of([node("Gather", "x i", axis=1)], ROW, {"i": np.zeros((2, 2), np.int64)}, output=("n", 2, 2)),
        "Gather with indices",
    ),
    "cropping": (
        model_of(
            [
                node(
                    "Resize",
                    "x roi scales",
                    mode="linear",
                    coordinate_transformation_mode="tf_crop_and_resize",
                )
            ],
            IMAGE,
            {"roi": np.array([0, 0, 0, 0, 1, 1, 0.5, 0.5], np.float32), "scales": np.array([1, 1, 2, 2], np.float32)},
            output=("n", 2, 8, 8),
        ),
        "Resize that crops",
    ),
    "a slice that is computed": (
        model_of(
            [node("Shape", "x", "sizes"), node("Slice", "x zero sizes")],
            {"x": ["n", "k"]},
            {"zero": integers(0, 0)},
            output=("n", 4),
        ),
        "Slice with an input 2 that is no constant",
    ),
    "repeated along an unknown size": (
        model_of([node("Tile", "x repeats")], {"x": ["n", "h", 2]}, {"repeats": integers(1, 1, 2)}, output=("n", 1, 4)),
        "Tile along axes of unknown size",
    ),
    "axes that are given": (
        model_of(
            [node("Cast", "x", "whole", to=TensorProto.INT64), node("ReduceSum", "x whole")],
            {"x": [4]},
            output=(4,),
        ),
        "ReduceSum with axes that are no constant",
    ),
    "a window in the padding": (
        model_of(
            [node("MaxPool", "x", kernel_shape=[2], strides=[3], pads=[1, 1], ceil_mode=1)],
            {"x": ["n", 1, 5]},
            output=("n", 1, 3),
        ),
        "MaxPool whose last window lies in the padding",
    ),
}


@pytest.mark.parametrize("case", NO_RULE)
def test_an_operator_without_a_rule_is_named(case: str) -> None:
    model, message = NO_RULE[case]
    with pytest.raises(NoRule) as raised:
        differentiate(model)
    assert f"no rule for the operator {message}" in str(raised.value)
    assert raised.value.op_type == message.split()[0]
    assert raised.value.node_name == next(each.name for each in model.graph.node if each.op_type == message.split()[0])
    assert f"node={raised.value.node_name}" in str(raised.value)


def test_an_operator_of_another_domain_is_named_with_it() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="odd", domain="com.example")]
    with pytest.raises(NoRule, match=r"com\.example::Relu\. Received: node=odd"):
        differentiate(model_of(nodes, ROW, opsets={"": 17, "com.example": 1}))


def test_a_node_without_a_name_is_found_by_its_outputs() -> None:
    nodes = [helper.make_node("CumSum", ["x", "axis"], ["y"])]
    with pytest.raises(NoRule, match=r"node=\(no name\) with outputs=\['y'\]"):
        differentiate(model_of(nodes, ROW, {"axis": np.array(1)}))


def test_a_branch_on_the_way_is_an_error() -> None:
    value = helper.make_tensor_value_info("branch", TensorProto.FLOAT, ["n", 4])
    branches = [helper.make_graph([node(op_type, "x", "branch")], op_type, [], [value]) for op_type in ("Relu", "Neg")]
    nodes = [
        node("If", "which", then_branch=branches[0], else_branch=branches[1]),
    ]
    with pytest.raises(NoRule, match="the operator If"):
        differentiate(model_of(nodes, ROW, {"which": np.array(True)}))


def test_an_operator_beside_the_way_needs_no_rule() -> None:
    nodes = [
        node("CumSum", "x axis", "sums"),
        helper.make_node("Odd", ["x"], ["odd"], domain="com.example"),
        node("CumSum", "c axis", "factors"),
        node("Mul", "x factors"),
    ]
    constants = {"axis": np.array(1), "c": ones(1, 4)}
    model = model_of(nodes, ROW, constants, opsets={"": 17, "com.example": 1})
    differentiated = differentiate(model, {3: 1.0})
    del differentiated.graph.node[1]
    (found,) = run_reference(differentiated, ["dx"], {"x": ones(2, 4)})
    assert found.tolist() == [[0, 0, 0, 4], [0, 0, 0, 4]]


def relu() -> onnx.ModelProto:
    return model_of([node("Relu", "x")], ROW)


@pytest.mark.parametrize("tensor", ["z", ""])
def test_an_unknown_tensor(tensor: str) -> None:
    with pytest.raises(DifferentiationError, match="must be part of the graph"):
        add_gradients(relu(), Scalar("y", {0: 1.0}), {tensor: "dx"})
    with pytest.raises(DifferentiationError, match="must be part of the graph"):
        add_gradients(relu(), Scalar(tensor, {0: 1.0}), {"x": "dx"})


def test_integers_have_no_gradient() -> None:
    model = model_of([node("Cast", "x", to=TensorProto.FLOAT)], ROW, element_type=TensorProto.UINT8)
    with pytest.raises(DifferentiationError, match=r"Only floating-point tensors have gradients.*'x'"):
        differentiate(model)


@pytest.mark.parametrize("output", ["x", "y", "c", "h"])
def test_an_output_that_is_taken(output: str) -> None:
    model = model_of([node("Add", "x c", "h"), node("Relu", "h")], ROW, {"c": ones(4)})
    with pytest.raises(DifferentiationError, match="must have a name of its own"):
        add_gradients(model, Scalar("y", {0: 1.0}), {"x": output})


def test_two_gradients_cannot_share_a_name() -> None:
    model = model_of([node("Relu", "x", "h"), node("Relu", "h")], ROW)
    with pytest.raises(DifferentiationError, match="must have a name of its own"):
        add_gradients(model, Scalar("y", {0: 1.0}), {"x": "d", "h": "d"})


@pytest.mark.parametrize("source", ["unused", "rounded", "behind"])
def test_a_tensor_that_does_not_count(source: str) -> None:
    """Unused, used through integers alone, and computed from the scalar's tensor."""
    nodes = [
        node("Neg", "x", "unused"),
        node("Neg", "x", "rounded"),
        node("Cast", "rounded", "whole", to=TensorProto.INT32),
        node("Cast", "whole", "back", to=TensorProto.FLOAT),
        node("Add", "back x"),
        node("Relu", "y", "behind"),
    ]
    with pytest.raises(NotConnected, match=f"'y' must depend on the tensor. Received: '{source}'"):
        add_gradients(model_of(nodes, ROW), Scalar("y", {0: 1.0}), {source: "dx"})


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("MaxPool", {"kernel_shape": [2, 2]}),
        ("AveragePool", {"kernel_shape": [2, 2]}),
        ("ConvTranspose", {}),
        ("Conv", {}),
        ("GlobalAveragePool", {}),
        ("GlobalMaxPool", {}),
        ("ReduceMean", {"axes": [2, 3]}),
    ],
)
def test_a_rule_may_need_a_fixed_image_size(op_type: str, attributes: dict[str, Any]) -> None:
    names = "x w" if "Conv" in op_type else "x"
    nodes = [node(op_type, names, "p", **attributes), node("ReduceSum", "p axes", keepdims=0)]
    constants = {"axes": integers(2, 3), "w": ones(2, 2, 3, 3)}
    model = model_of(nodes, {"x": ["n", 2, "height", "width"]}, constants, output=("n", 2))
    with pytest.raises(UnknownShape, match=r"must have a fixed size.*'[xp]'"):
        differentiate(model)


def test_the_entries_of_the_scalar_must_be_countable() -> None:
    with pytest.raises(UnknownShape, match=r"must have a fixed size.*'y'"):
        differentiate(model_of([node("Relu", "x")], {"x": ["n", "k"]}, output=("n", "k")))


@pytest.mark.parametrize("weights", [{4: 1.0}, {-1: 1.0}, {0: 1.0, 9: 2.0}])
def test_weights_must_belong_to_entries(weights: dict[int, float]) -> None:
    with pytest.raises(DifferentiationError, match="Weights must belong to entries 0 to 3"):
        differentiate(relu(), weights)


def test_weights_must_be_given() -> None:
    with pytest.raises(DifferentiationError, match="Weights must belong to entries"):
        add_gradients(relu(), Scalar("y", {}), {"x": "dx"})


def test_functions_of_the_model_are_inlined() -> None:
    """``y = f(x) + x`` with ``f(x) = x * x``."""
    square = helper.make_function(
        "local", "Square", ["a"], ["b"], [node("Mul", "a a", "b")], [helper.make_opsetid("", 17)]
    )
    nodes = [helper.make_node("Square", ["x"], ["s"], domain="local"), node("Add", "s x")]
    model = model_of(nodes, ROW, opsets={"": 17, "local": 1})
    model.functions.append(square)
    differentiated = differentiate(model, {1: 1.0})
    check_model(differentiated, 2)
    (found,) = run_reference(differentiated, ["dx"], {"x": np.array([[1, 2, 3, 4]], np.float32)})
    assert found.tolist() == [[0, 5, 0, 0]]


def test_an_old_opset_is_converted() -> None:
    """Opset 11: Softmax over all that is behind the axis, Squeeze and ReduceSum by attributes."""
    nodes = [
        node("Unsqueeze", "x", "u", axes=[1]),
        node("Squeeze", "u", "s", axes=[1]),
        node("Softmax", "s", "p", axis=1),
        node("ReduceSum", "p", "t", axes=[1], keepdims=1),
        node("Add", "p t"),
    ]
    model = model_of(nodes, ROW, opsets={"": 11})
    differentiated = differentiate(model, {0: 1.0})
    check_model(differentiated, 0)
    assert [(opset.domain, opset.version) for opset in differentiated.opset_import] == [("", 17)]
    x = np.array([[0, 0, 0, 0], [1, 2, 3, 4]], np.float32)
    (found,) = run_reference(differentiated, ["dx"], {"x": x})
    shares = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    expected = shares[:, :1] * (np.eye(4)[:1] - shares)
    np.testing.assert_allclose(found, expected, atol=1e-6)
