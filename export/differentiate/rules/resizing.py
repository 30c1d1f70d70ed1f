"""Resizing: every mode computes weighted sums of the values, so its gradient is the transposed matrix of weights."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.differentiate.errors import NoRule
from export.differentiate.rules.shapes import normal_axis
from export.differentiate.step import Gradients, Rule, Step

_OF_OTHER_AXES = ("axes", "keep_aspect_ratio_policy")


def _resize(step: Step) -> Gradients:
    """Undo one axis after the other: along each, resizing is a matrix of weights."""
    step.want_only(0)
    _refuse_cropping(step)
    graph, name = step.graph, step.inputs[0]
    rank = len(graph.shape(name))
    gradient = step.gradient
    for axis in range(rank):
        if _is_resized(step, axis):
            gradient = _undo_axis(step, gradient, axis, rank)
    return [gradient]


def _refuse_cropping(step: Step) -> None:
    if step.attribute("coordinate_transformation_mode") == b"tf_crop_and_resize":
        raise NoRule(step.node, "that crops")
    if step.attribute("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise NoRule(step.node, "that keeps the aspect ratio")


def _is_resized(step: Step, axis: int) -> bool:
    """Tell whether values change along an axis, which a factor other than 1 does even where the size stays.

    Shape inference loses the size of the batch, along which nobody resizes.
    """
    scale = _scale(step, axis)
    if scale is not None:
        return scale != 1
    size, result = (step.graph.shape(tensor)[axis] for tensor in (step.inputs[0], step.output))
    return size != result and not (axis == 0 and isinstance(size, str))


def _undo_axis(step: Step, gradient: str, axis: int, rank: int) -> str:
    graph, name = step.graph, step.inputs[0]
    weights = _weights(step, axis, graph.size(name, axis), graph.size(step.output, axis))
    if axis == rank - 2:
        return graph.op("MatMul", graph.like(weights.T, name), gradient)
    if axis == rank - 1:
        return graph.op("MatMul", gradient, graph.like(weights, name))
    last = [*(other for other in range(rank) if other != axis), axis]
    moved = graph.op("MatMul", graph.op("Transpose", gradient, perm=last), graph.like(weights, name))
    return graph.op("Transpose", moved, perm=np.argsort(last).tolist())


def _weights(step: Step, axis: int, size: int, result: int) -> NDArray[np.float64]:
    """Read off the weights ``[result, size]``: the operator itself is run on every unit vector."""
    coordinates = step.attribute("coordinate_transformation_mode")
    if result == 1 and coordinates == b"pytorch_half_pixel":
        return np.eye(1, size)  # by definition; onnx.reference 1.23 reads between the values
    # With aligned corners sizes alone decide, of which onnx.reference 1.23 does not round the result's.
    double, scale = onnx.TensorProto.DOUBLE, None if coordinates == b"align_corners" else _scale(step, axis)
    wanted = ("sizes", np.array([size, result])) if scale is None else ("scales", np.array([1, scale], np.float32))
    graph = helper.make_graph(
        [_for_rows(step.node, wanted[0])],
        "unit_vectors",
        [helper.make_tensor_value_info("x", double, [size, size])],
        [helper.make_tensor_value_info("y", double, [size, result])],
        [numpy_helper.from_array(wanted[1], wanted[0])],
    )
    opset = next(opset for opset in step.graph.model.opset_import if opset.domain in ("", "ai.onnx"))
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[opset]))
    (rows,) = evaluator.run(None, {"x": np.eye(size)})
    return np.asarray(rows, dtype=np.float64).T


def _for_rows(node: NodeProto, wanted: str) -> NodeProto:
    """Take the node's way to resize for a table of rows."""
    copy = NodeProto(op_type="Resize", name=node.name, output=["y"])
    copy.input.extend(["x", "", "scales"] if wanted == "scales" else ["x", "", "", "sizes"])
    copy.attribute.extend(attribute for attribute in node.attribute if attribute.name not in _OF_OTHER_AXES)
    return copy


def _scale(step: Step, axis: int) -> float | None:
    """Read the factor along an axis; None if the node gives sizes."""
    if not step.has_input(2):
        return None
    scales = step.graph.constant_value(step.inputs[2])
    if scales is None:
        raise NoRule(step.node, "with scales that are no constant")
    if scales.size == 0:
        return None
    rank = len(step.graph.shape(step.inputs[0]))
    axes = [normal_axis(each, rank) for each in step.attribute("axes", range(rank))]
    return float(scales[axes.index(axis)]) if axis in axes else 1.0


RESIZING_RULES: Mapping[str, Rule] = {"Resize": _resize}
