"""Matrix products."""

from collections.abc import Mapping

from export.differentiate.errors import NoRule
from export.differentiate.graph import Graph, Shape
from export.differentiate.rules.shapes import undo_broadcast
from export.differentiate.step import Gradients, Rule, Step


def _matmul(step: Step) -> Gradients:
    """``dA = dY B^T`` and ``dB = A^T dY``, over repeated leading axes."""
    graph, (a, b), gradient = step.graph, step.inputs, step.gradient
    if min(len(graph.shape(a)), len(graph.shape(b))) < 2:
        raise NoRule(step.node, "with a vector")
    leading = graph.shape(step.output)[:-2]
    of_a = graph.op("MatMul", gradient, _transpose(graph, b)) if step.wants(0) else None
    of_b = graph.op("MatMul", _transpose(graph, a), gradient) if step.wants(1) else None
    return [
        of_a and undo_broadcast(graph, of_a, _with_leading(graph, leading, a), a),
        of_b and undo_broadcast(graph, of_b, _with_leading(graph, leading, b), b),
    ]


def _with_leading(graph: Graph, leading: Shape, tensor: str) -> Shape:
    return (*leading, *graph.shape(tensor)[-2:])


def _transpose(graph: Graph, tensor: str) -> str:
    rank = len(graph.shape(tensor))
    return graph.op("Transpose", tensor, perm=[*range(rank - 2), rank - 1, rank - 2])


def _gemm(step: Step) -> Gradients:
    """``Y = alpha A' B' + beta C``, where A' and B' may be transposed."""
    graph, gradient = step.graph, step.gradient
    transposed = [step.attribute(name, 0) for name in ("transA", "transB")]
    alpha, beta = step.attribute("alpha", 1.0), step.attribute("beta", 1.0)
    gradients: list[str | None] = [None, None, None]
    for place in (0, 1):
        if step.wants(place):
            gradients[place] = _gemm_factor(step, place, transposed, alpha)
    if step.wants(2):
        scaled = gradient if beta == 1 else graph.op("Mul", gradient, graph.like(beta, step.output))
        gradients[2] = undo_broadcast(graph, scaled, graph.shape(step.output), step.inputs[2])
    return gradients


def _gemm_factor(step: Step, place: int, transposed: list[int], alpha: float) -> str:
    """``dA' = alpha dY B'^T`` and ``dB' = alpha A'^T dY``; the transposed product where the factor is transposed."""
    other = 1 - place
    factors = [(step.gradient, 0), (step.inputs[other], 1 - transposed[other])]
    if place == 1:
        factors.reverse()
    if transposed[place]:
        factors = [(name, 1 - turned) for name, turned in reversed(factors)]
    (left, turn_left), (right, turn_right) = factors
    return step.graph.op("Gemm", left, right, alpha=alpha, transA=turn_left, transB=turn_right)


LINEAR_RULES: Mapping[str, Rule] = {"Gemm": _gemm, "MatMul": _matmul}
