"""Normalisations, in inference mode, and softmax."""

from collections.abc import Mapping, Sequence
from math import prod

from export.differentiate.errors import NoRule
from export.differentiate.graph import Graph
from export.differentiate.rules.shapes import normal_axis
from export.differentiate.step import Gradients, Rule, Step


def _batch_normalization(step: Step) -> Gradients:
    """In inference mode this is a scale for each channel: ``scale / sqrt(variance + epsilon)``."""
    step.want_only(0)
    if step.attribute("training_mode", 0) or any(step.node.output[1:]):  # so opset 13 says it
        raise NoRule(step.node, "in training mode")
    graph, (name, scale, _bias, _mean, variance) = step.graph, step.inputs
    deviation = graph.op("Sqrt", graph.op("Add", variance, graph.like(step.attribute("epsilon", 1e-5), variance)))
    factor = graph.op("Div", scale, deviation)
    if graph.dtype(scale) != graph.dtype(name):
        factor = graph.cast_like(factor, name)
    spatial = len(graph.shape(name)) - 2
    factor = graph.op("Reshape", factor, graph.integers([-1, *[1] * spatial]))
    return [graph.op("Mul", step.gradient, factor)]


def _softmax(step: Step) -> Gradients:
    """``dx = y (dy - sum(y dy))``."""
    graph, y = step.graph, step.output
    weighted = graph.op("Mul", step.gradient, y)
    mean = graph.op("ReduceSum", weighted, graph.integers([_axis(step)]), keepdims=1)
    return [graph.op("Sub", weighted, graph.op("Mul", y, mean))]


def _log_softmax(step: Step) -> Gradients:
    """``dx = dy - exp(y) sum(dy)``."""
    graph = step.graph
    total = graph.op("ReduceSum", step.gradient, graph.integers([_axis(step)]), keepdims=1)
    return [graph.op("Sub", step.gradient, graph.op("Mul", graph.op("Exp", step.output), total))]


def _axis(step: Step) -> int:
    return int(step.attribute("axis", -1))


def _layer_normalization(step: Step) -> Gradients:
    step.want_only(0)
    graph, name = step.graph, step.inputs[0]
    rank = len(graph.shape(name))
    axes = list(range(normal_axis(_axis(step), rank), rank))
    scaled = graph.op("Mul", step.gradient, step.inputs[1])
    return [_through_standardization(graph, name, scaled, axes, step.attribute("epsilon", 1e-5))]


def _instance_normalization(step: Step) -> Gradients:
    step.want_only(0)
    graph, name = step.graph, step.inputs[0]
    axes = list(range(2, len(graph.shape(name))))
    scale = graph.op("Reshape", step.inputs[1], graph.integers([-1, *[1] * len(axes)]))
    scaled = graph.op("Mul", step.gradient, scale)
    return [_through_standardization(graph, name, scaled, axes, step.attribute("epsilon", 1e-5))]


def _through_standardization(graph: Graph, name: str, gradient: str, axes: Sequence[int], epsilon: float) -> str:
    """Differentiate ``s = (x - mean) / deviation``: ``dx = (ds - mean(ds) - s mean(s ds)) / deviation``."""
    share = graph.like(1 / prod(graph.size(name, axis) for axis in axes), name)

    def mean(tensor: str) -> str:
        return graph.op("Mul", graph.op("ReduceSum", tensor, graph.integers(axes), keepdims=1), share)

    centred = graph.op("Sub", name, mean(name))
    variance = graph.op("Add", mean(graph.op("Mul", centred, centred)), graph.like(epsilon, name))
    deviation = graph.op("Sqrt", variance)
    standardized = graph.op("Div", centred, deviation)
    along = graph.op("Mul", standardized, mean(graph.op("Mul", standardized, gradient)))
    return graph.op("Div", graph.op("Sub", graph.op("Sub", gradient, mean(gradient)), along), deviation)


NORMALIZATION_RULES: Mapping[str, Rule] = {
    "BatchNormalization": _batch_normalization,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _log_softmax,
    "Softmax": _softmax,
}
