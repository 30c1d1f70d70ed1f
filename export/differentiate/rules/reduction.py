"""Sums, means and extremes along axes."""

from collections.abc import Callable, Mapping
from math import prod

from export.differentiate.errors import NoRule
from export.differentiate.rules.shapes import expand_like, normal_axis
from export.differentiate.step import Gradients, Rule, Step


def _axes(step: Step) -> list[int]:
    """Read the reduced axes, which are an input or an attribute, or all."""
    rank = len(step.graph.shape(step.inputs[0]))
    axes = step.attribute("axes")
    if step.has_input(1):
        values = step.graph.constant_value(step.inputs[1])
        if values is None:
            raise NoRule(step.node, "with axes that are no constant")
        axes = values.tolist()
    if not axes:
        return [] if step.attribute("noop_with_empty_axes", 0) else list(range(rank))
    return sorted(normal_axis(axis, rank) for axis in axes)


def _keeping_axes(step: Step, tensor: str, axes: list[int]) -> str:
    """Give a tensor of the shape of the output its reduced axes back, of size 1."""
    if step.attribute("keepdims", 1) or not axes:
        return tensor
    return step.graph.op("Unsqueeze", tensor, step.graph.integers(axes))


def _reducing(spread: Callable[[Step, str, list[int]], str]) -> Rule:
    def rule(step: Step) -> Gradients:
        step.want_only(0)
        axes = _axes(step)
        return [spread(step, _keeping_axes(step, step.gradient, axes), axes)]

    return rule


def _sum(step: Step, gradient: str, _axes: list[int]) -> str:
    return expand_like(step.graph, gradient, step.inputs[0])


def _mean(step: Step, gradient: str, axes: list[int]) -> str:
    graph, name = step.graph, step.inputs[0]
    share = graph.like(1 / prod(graph.size(name, axis) for axis in axes), name)
    return expand_like(graph, graph.op("Mul", gradient, share), name)


def _extreme(step: Step, gradient: str, axes: list[int]) -> str:
    """Share the gradient among all values that are the extreme one, as frameworks do for reductions."""
    graph, name = step.graph, step.inputs[0]
    extreme = _keeping_axes(step, step.output, axes)
    chosen = graph.cast_like(graph.op("Equal", name, extreme), name)
    count = graph.op("ReduceSum", chosen, graph.integers(axes), keepdims=1) if axes else chosen
    return graph.op("Mul", chosen, graph.op("Div", gradient, count))


def _l2(step: Step, gradient: str, axes: list[int]) -> str:
    graph = step.graph
    return graph.op("Mul", step.inputs[0], graph.op("Div", gradient, _keeping_axes(step, step.output, axes)))


REDUCTION_RULES: Mapping[str, Rule] = {
    "ReduceL2": _reducing(_l2),
    "ReduceMax": _reducing(_extreme),
    "ReduceMean": _reducing(_mean),
    "ReduceMin": _reducing(_extreme),
    "ReduceSum": _reducing(_sum),
}
