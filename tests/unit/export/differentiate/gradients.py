"""Small networks, and the checks that every gradient of theirs has to pass.

The gradient inside the graph is computed in float64 by `onnx.reference` and compared with central differences of the
network itself; then once more in float32 by ONNX Runtime with all its optimisations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, defs, helper, numpy_helper, shape_inference

from export.differentiate import Scalar, add_gradients
from tests.unit.export.differentiate.reference_operators import run_reference
from tests.unit.export.differentiate.tensors import Array, Draw, relative_error

Feeds: TypeAlias = Mapping[str, Array]
BATCH = "n"
OPSET = 17
_STEP = 1e-5


@dataclass(frozen=True, slots=True)
class Network:
    """Nodes from the inputs to the tensor `y`, for any floating-point type.

    Inputs whose first size is ``"n"`` hold one entry for each image. `values` draws an input; by default all are
    normal random numbers. Constants of float64 get the type of the network. Where ONNX Runtime has no kernel,
    `in_runtime` is false.
    """

    nodes: Sequence[NodeProto]
    inputs: Mapping[str, Sequence[int | str]]
    constants: Feeds = field(default_factory=dict)
    opset: int = OPSET
    images: int = 2
    values: Draw | None = None
    in_runtime: bool = True

    def build(self, dtype: type[np.floating[Any]] = np.float64) -> onnx.ModelProto:
        """Make the model, with the shape of `y` as inferred."""
        element_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        constants = {
            name: value.astype(dtype) if value.dtype == np.float64 else value for name, value in self.constants.items()
        }
        graph = helper.make_graph(
            list(self.nodes),
            "network",
            [helper.make_tensor_value_info(name, element_type, list(shape)) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info("y", element_type, None)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)

    def draw(self, generator: np.random.Generator) -> dict[str, Array]:
        """Draw values for the inputs."""
        draw = self.values or (lambda generator, shape: generator.standard_normal(shape))
        shapes = {
            name: tuple(self.images if size == BATCH else int(size) for size in shape)
            for name, shape in self.inputs.items()
        }
        return {name: np.asarray(draw(generator, shape), np.float64) for name, shape in shapes.items()}


def node(op_type: str, inputs: str, outputs: str = "y", **attributes: Any) -> NodeProto:
    """Make a node from the names of its tensors, apart by blanks; `_` is an input left out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(op_type, names, outputs.split(), name=f"{op_type} of {outputs}", **attributes)


def single(
    op_type: str,
    shapes: Mapping[str, Sequence[int | str]],
    constants: Feeds | None = None,
    *,
    opset: int = OPSET,
    images: int = 2,
    values: Draw | None = None,
    in_runtime: bool = True,
    **attributes: Any,
) -> Network:
    """Make a network of one node, which reads the inputs and then the constants."""
    only = node(op_type, " ".join((*shapes, *(constants or {}))), **attributes)
    return Network([only], shapes, constants or {}, opset, images, values, in_runtime)


def weights_of(model: onnx.ModelProto, generator: np.random.Generator) -> dict[int, float]:
    """Draw the weight of every entry of `y` in the scalar; every fifth does not count."""
    sizes = [size.dim_value for size in model.graph.output[0].type.tensor_type.shape.dim][1:]
    weights = generator.uniform(-1, 1, int(np.prod(sizes)))
    return {place: float(weight) for place, weight in enumerate(weights) if place % 5 != 4 or weights.size < 5}


def check_gradients(network: Network, *, seed: int = 0) -> None:
    """Hold the gradients of a random scalar by all inputs against differences, and against ONNX Runtime in float32."""
    generator = np.random.default_rng(seed)
    model = network.build()
    names = list(network.inputs)
    scalar = Scalar("y", weights_of(model, generator))
    differentiated = add_gradients(model, scalar, {name: f"d{name}" for name in names})
    check_model(differentiated, len(network.nodes))
    feeds = network.draw(generator)
    found = gradients_in_reference(differentiated, feeds, names)
    for name in names:
        expected = differences(network, model, scalar, feeds, name)
        assert found[name].shape == feeds[name].shape
        assert relative_error(found[name], expected) <= 1e-6, f"The gradient of {name} is wrong."
    if network.in_runtime:
        check_in_runtime(network, scalar, feeds, found)


def check_model(model: onnx.ModelProto, original_nodes: int) -> None:
    """Check the file in full, and that all that was added is in opset 17 of the default domain."""
    onnx.checker.check_model(model, full_check=True)
    assert all(node.domain in ("", "ai.onnx") for node in model.graph.node)
    for node in model.graph.node[original_nodes:]:
        defs.get_schema(node.op_type, OPSET, "")


def gradients_in_reference(model: onnx.ModelProto, feeds: Feeds, names: Sequence[str]) -> dict[str, Array]:
    """Evaluate the gradients as onnx defines the operators."""
    results = run_reference(model, [f"d{name}" for name in names], feeds)
    return dict(zip(names, results, strict=True))


def differences(network: Network, model: onnx.ModelProto, scalar: Scalar, feeds: Feeds, name: str) -> Array:
    """Differentiate the sum over the images by central differences.

    Entries of different images are shifted in one large batch; an input that all images share, one entry at a time.
    """
    batched = {key for key, shape in network.inputs.items() if shape and shape[0] == BATCH}

    def sums(shifted: Feeds) -> Array:
        (y,) = run_reference(model, ["y"], shifted)
        flat = y.reshape(len(y), -1)
        total: Array = flat[:, list(scalar.weights)] @ np.array(list(scalar.weights.values()))
        return total

    value = feeds[name]
    if name not in batched:
        columns = [
            (sums({**feeds, name: value + shift}).sum() - sums({**feeds, name: value - shift}).sum()) / (2 * _STEP)
            for shift in _shifts(value.shape)
        ]
        return np.array(columns).reshape(value.shape)
    images, count = len(value), int(np.prod(value.shape[1:]))
    repeated = {key: np.repeat(each, 2 * count, axis=0) if key in batched else each for key, each in feeds.items()}
    shifts = _shifts(value.shape[1:])
    both = np.tile(np.concatenate([shifts, -shifts]), (images, *[1] * (value.ndim - 1)))
    results = sums({**repeated, name: repeated[name] + both}).reshape(images, 2, count)
    difference: Array = (results[:, 0] - results[:, 1]) / (2 * _STEP)
    return difference.reshape(value.shape)


def _shifts(shape: tuple[int, ...]) -> Array:
    """Make one small step along each entry."""
    count = int(np.prod(shape))
    return (np.eye(count) * _STEP).reshape(count, *shape)


def check_in_runtime(network: Network, scalar: Scalar, feeds: Feeds, expected: Feeds) -> None:
    """Load the float32 model in ONNX Runtime, with all default optimisations, and hold it against float64."""
    model = add_gradients(network.build(np.float32), scalar, {name: f"d{name}" for name in expected})
    found = run_in_runtime(model, feeds, ["y", *(f"d{name}" for name in expected)])
    (y,) = run_reference(network.build(), ["y"], feeds)
    assert relative_error(found.pop(0), y) <= 1e-4, "ONNX Runtime and the reference compute different results."
    for (name, reference), gradient in zip(expected.items(), found, strict=True):
        assert gradient.dtype == np.float32
        assert relative_error(gradient, reference) <= 1e-4, f"ONNX Runtime computes another gradient of {name}."


def run_in_runtime(model: onnx.ModelProto, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
    """Run a float32 model in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # a failure raises; it need not be printed too
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {each.name for each in session.get_inputs()}
    single_precision = {
        name: value.astype(np.float32) if np.issubdtype(value.dtype, np.floating) else value
        for name, value in feeds.items()
        if name in given
    }
    results: list[Array] = session.run(list(outputs), single_precision)
    return results
