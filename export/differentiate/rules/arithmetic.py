"""Sums, products and extremes of two or more tensors, repeated to a common shape where they differ."""

from collections.abc import Callable, Mapping

from export.differentiate.rules.shapes import undo_broadcast
from export.differentiate.step import Gradients, Rule, Step

_Part = Callable[[Step, int], str]


def _broadcasting(part: _Part) -> Rule:
    """Make a rule of the function that writes the gradient of one input, before repetition is undone."""

    def rule(step: Step) -> Gradients:
        shape = step.graph.shape(step.output)
        return [
            undo_broadcast(step.graph, part(step, place), shape, name) if step.wants(place) else None
            for place, name in enumerate(step.inputs)
        ]

    return rule


def _add(step: Step, _place: int) -> str:
    return step.gradient


def _sub(step: Step, place: int) -> str:
    return step.gradient if place == 0 else step.graph.op("Neg", step.gradient)


def _mul(step: Step, place: int) -> str:
    return step.graph.op("Mul", step.gradient, step.inputs[1 - place])


def _div(step: Step, place: int) -> str:
    quotient = step.graph.op("Div", step.gradient, step.inputs[1])
    return quotient if place == 0 else step.graph.op("Neg", step.graph.op("Mul", quotient, step.output))


def _pow(step: Step, place: int) -> str:
    graph, (base, exponent) = step.graph, step.inputs
    if place == 1:
        return graph.op("Mul", step.gradient, graph.op("Mul", step.output, graph.op("Log", base)))
    exponent = graph.cast_like(exponent, base)
    is_zero = graph.cast_like(graph.op("Equal", exponent, graph.like(0.0, base)), base)
    less = graph.op("Sub", graph.op("Add", exponent, is_zero), graph.like(1.0, base))  # 0 to the power -1 is infinite
    lower = graph.op("Pow", base, less)
    return graph.op("Mul", step.gradient, graph.op("Mul", exponent, lower))


def _mean(step: Step, _place: int) -> str:
    return step.graph.op("Mul", step.gradient, step.graph.like(1 / len(step.inputs), step.output))


def _extreme(step: Step, place: int) -> str:
    """Max and Min: the gradient goes to the first input that has the extreme value, as in TensorFlow."""
    graph = step.graph
    first = graph.op("Equal", step.inputs[place], step.output)
    for earlier in step.inputs[:place]:
        first = graph.op("And", first, graph.op("Not", graph.op("Equal", earlier, step.output)))
    return graph.op("Mul", step.gradient, graph.cast_like(first, step.output))


ARITHMETIC_RULES: Mapping[str, Rule] = {
    "Add": _broadcasting(_add),
    "Div": _broadcasting(_div),
    "Max": _broadcasting(_extreme),
    "Mean": _broadcasting(_mean),
    "Min": _broadcasting(_extreme),
    "Mul": _broadcasting(_mul),
    "Pow": _broadcasting(_pow),
    "Sub": _broadcasting(_sub),
    "Sum": _broadcasting(_add),
}
