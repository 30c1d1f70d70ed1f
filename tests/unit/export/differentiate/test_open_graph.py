"""In what form models are taken: old files, foreign operators, constants that exporters leave as chains of nodes."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.differentiate import DifferentiationError, NoRule, Scalar, add_gradients, open_graph

KERNEL = np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32)
SCALAR = Scalar("y", {0: 1.0, 1: -2.0})


def model_of(
    nodes: list[onnx.NodeProto], weights: dict[str, NDArray[np.generic]], opset: int = 17, domain: str = ""
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2, 1, 1])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def convolution() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["y"]),
    ]
    return model_of(nodes, {"kernel": KERNEL})


def gradient(model: onnx.ModelProto) -> NDArray[np.float32]:
    images = np.random.default_rng(1).normal(size=(2, 1, 5, 5)).astype(np.float32)
    written = add_gradients(model, SCALAR, {"x": "dx"})
    onnx.checker.check_model(written, full_check=True)
    (values,) = ReferenceEvaluator(written).run(["dx"], {"x": images})
    return np.asarray(values, np.float32)


def test_weights_that_are_listed_as_inputs_become_constants() -> None:
    old = convolution()
    old.ir_version = 3
    old.graph.input.append(helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [2, 1, 3, 3]))
    assert [value.name for value in open_graph(old).model.graph.input] == ["x"]
    np.testing.assert_array_equal(gradient(old), gradient(convolution()))


@pytest.mark.parametrize(("op_type", "domain", "opset"), [("Gelu", "com.example", 17), ("GroupNormalization", "", 21)])
def test_an_operator_without_a_rule_is_named_though_its_output_has_no_known_type(
    op_type: str, domain: str, opset: int
) -> None:
    model = convolution()
    inputs = ["maps"] if domain else ["maps", "ones", "ones"]
    odd = helper.make_node(op_type, inputs, ["odd"], "strange", domain=domain or None)
    if not domain:
        odd.attribute.append(helper.make_attribute("num_groups", 1))
    nodes = [model.graph.node[0], odd, helper.make_node("GlobalAveragePool", ["odd"], ["y"])]
    given = model_of(nodes, {"kernel": KERNEL, "ones": np.ones(2, np.float32)}, opset, domain)
    with pytest.raises(NoRule, match=rf"operator {f'{domain}::' if domain else ''}{op_type}.*node=strange"):
        add_gradients(given, SCALAR, {"x": "dx"})


def test_a_foreign_operator_ahead_of_the_source_does_no_harm() -> None:
    nodes = [helper.make_node("Prepare", ["x"], ["ready"], domain="com.example"), *convolution().graph.node]
    nodes[1].input[0] = "ready"
    model = model_of(nodes, {"kernel": KERNEL}, domain="com.example")
    model.graph.value_info.append(helper.make_tensor_value_info("ready", TensorProto.FLOAT, ["batch", 1, 5, 5]))
    written = add_gradients(model, SCALAR, {"ready": "dx"})
    assert [output.name for output in written.graph.output] == ["y", "dx"]


def test_paddings_that_are_computed_from_constants_are_folded() -> None:
    """As an exporter writes zero padding: a row of zeros and ones, put together, turned and flattened."""
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["four"], ["none"], value=helper.make_tensor("z", TensorProto.INT64, [1], [0])
        ),
        helper.make_node("Concat", ["sides", "none"], ["given"], axis=0),
        helper.make_node("Reshape", ["given", "pairs"], ["table"]),
        helper.make_node("Slice", ["table", "minus_one", "far", "zero", "minus_one"], ["backwards"]),
        helper.make_node("Transpose", ["backwards"], ["turned"], perm=[1, 0]),
        helper.make_node("Reshape", ["turned", "flat"], ["row"]),
        helper.make_node("Cast", ["row"], ["pads"], to=TensorProto.INT64),
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("Conv", ["padded", "kernel"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["y"]),
    ]
    rows = {"four": [4], "sides": [1, 0, 1, 0], "pairs": [-1, 2], "minus_one": [-1], "far": [-(2**63)], "zero": [0]}
    weights = {name: np.array(values) for name, values in {**rows, "flat": [-1]}.items()}
    folded = open_graph(model_of(nodes, {"kernel": KERNEL, **weights})).model.graph
    assert [node.op_type for node in folded.node] == ["Pad", "Conv", "GlobalAveragePool"]
    assert {tensor.name for tensor in folded.initializer} == {"kernel", "pads"}
    plain = model_of(nodes[-3:], {"kernel": KERNEL, "pads": np.array([0, 0, 1, 1, 0, 0, 0, 0])})
    np.testing.assert_array_equal(gradient(model_of(nodes, {"kernel": KERNEL, **weights})), gradient(plain))


def test_large_constants_stay_with_the_runtime() -> None:
    nodes = [helper.make_node("Cast", ["halves"], ["kernel"], to=TensorProto.FLOAT), *convolution().graph.node]
    large = np.zeros((1024, 1, 3, 3), np.float16)
    model = model_of(nodes, {"halves": large})
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1024
    assert [node.op_type for node in open_graph(model).model.graph.node] == ["Cast", "Conv", "GlobalAveragePool"]


def test_statistics_of_another_precision_than_the_image() -> None:
    """Legal since opset 15: half the image, whole the statistics."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("BatchNormalization", ["half", "one", "zero", "zero", "four"], ["norm"], epsilon=0.0),
        helper.make_node("Cast", ["norm"], ["whole"], to=TensorProto.FLOAT),
        *convolution().graph.node,
    ]
    nodes[3].input[0] = "whole"
    statistics = {"one": np.ones(1, np.float32), "zero": np.zeros(1, np.float32), "four": np.full(1, 4, np.float32)}
    halved = gradient(model_of(nodes, {"kernel": KERNEL, **statistics}))
    np.testing.assert_allclose(halved, gradient(convolution()) / 2, rtol=2e-3, atol=1e-4)


def test_a_model_that_contradicts_itself_is_refused() -> None:
    model = convolution()
    model.graph.initializer[0].dims[:] = [1, 2, 3, 3]
    with pytest.raises(DifferentiationError, match="types and shapes must agree"):
        add_gradients(model, SCALAR, {"x": "dx"})
