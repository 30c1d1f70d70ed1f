"""Operators that move, repeat or leave out values and compute nothing."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.differentiate.errors import NoRule
from export.differentiate.graph import Graph
from export.differentiate.rules.shapes import normal_axis, reshape_like, undo_broadcast
from export.differentiate.step import Gradients, Rule, Step

_TO_THE_END = 2**31 - 1  # and more: exporters write several large numbers for "to the end"


def _reshape(step: Step) -> Gradients:
    return [reshape_like(step.graph, step.gradient, step.inputs[0])]


def _transpose(step: Step) -> Gradients:
    rank = len(step.graph.shape(step.inputs[0]))
    order = step.attribute("perm", list(reversed(range(rank))))
    return [step.graph.op("Transpose", step.gradient, perm=np.argsort(order).tolist())]


def _expand(step: Step) -> Gradients:
    graph = step.graph
    return [undo_broadcast(graph, step.gradient, graph.shape(step.output), step.inputs[0])]


def _tile(step: Step) -> Gradients:
    graph, name = step.graph, step.inputs[0]
    repeats, shape = _constant(step, 1), graph.shape(name)
    unknown = [repeat for size, repeat in zip(shape, repeats, strict=True) if isinstance(size, str)]
    if unknown not in ([], [1]):
        raise NoRule(step.node, "along axes of unknown size")
    sizes = [part for size, repeat in zip(shape, repeats, strict=True) for part in (repeat, _or_any(size))]
    apart = graph.op("Reshape", step.gradient, graph.integers(sizes))
    copies = graph.integers([2 * axis for axis in range(len(shape))])
    return [reshape_like(graph, graph.op("ReduceSum", apart, copies, keepdims=0), name)]


def _or_any(size: int | str) -> int:
    return -1 if isinstance(size, str) else size


def _concat(step: Step) -> Gradients:
    """Cut the gradient into the parts of the inputs."""
    graph = step.graph
    axis = normal_axis(step.attribute("axis"), len(graph.shape(step.output)))
    ends = list(accumulate(graph.size(name, axis) for name in step.inputs))
    starts = [0, *ends]
    return [
        graph.op("Slice", step.gradient, *(graph.integers([value]) for value in (starts[place], ends[place], axis)))
        if step.wants(place)
        else None
        for place in range(len(ends))
    ]


def _split(step: Step) -> Gradients:
    """Join the gradients of the parts; a part that the scalar does not depend on has zeros."""
    step.want_only(0)
    graph = step.graph
    parts = [
        graph.op("Expand", graph.like(0.0, output), graph.op("Shape", output)) if gradient is None else gradient
        for output, gradient in zip(step.node.output, step.gradients, strict=True)
    ]
    return [graph.op("Concat", *parts, axis=step.attribute("axis", 0))]


def _slice(step: Step) -> Gradients:
    step.want_only(0)
    graph, name = step.graph, step.inputs[0]
    rank = len(graph.shape(name))
    starts, ends = _constant(step, 1), _constant(step, 2)
    axes = _constant(step, 3) if step.has_input(3) else list(range(len(starts)))
    steps = _constant(step, 4) if step.has_input(4) else [1] * len(starts)
    gradient = step.gradient
    for start, end, axis, stride in zip(starts, ends, axes, steps, strict=True):
        if (start, stride) == (0, 1) and end >= _TO_THE_END:
            continue
        size = graph.size(name, axis)
        taken = range(*slice(start, end, stride).indices(size))
        gradient = _put_back(graph, gradient, np.array(taken), normal_axis(axis, rank), (name, rank, size))
    return [gradient]


def _gather(step: Step) -> Gradients:
    """Put rows back that constant indices have picked."""
    step.want_only(0)
    graph, name = step.graph, step.inputs[0]
    indices = graph.constant_value(step.inputs[1])
    if indices is None or indices.ndim > 1:
        raise NoRule(step.node, "with indices that are no constant or no row")
    rank = len(graph.shape(name))
    axis = normal_axis(step.attribute("axis", 0), rank)
    size = graph.size(name, axis)
    picked = np.atleast_1d(indices) % size
    gradient = graph.op("Unsqueeze", step.gradient, graph.integers([axis])) if indices.ndim == 0 else step.gradient
    return [_put_back(graph, gradient, picked, axis, (name, rank, size))]


def _put_back(graph: Graph, gradient: str, taken: NDArray[np.int64], axis: int, source: tuple[str, int, int]) -> str:
    """Undo the choice of the places `taken` along an axis, with zeros where nothing was taken.

    A place that was taken several times gets the sum.
    """
    name, rank, size = source
    if len(taken) and np.array_equal(taken, np.arange(taken[0], taken[0] + len(taken))):
        return _pad(graph, gradient, name, rank, {axis: (int(taken[0]), size - int(taken[-1]) - 1)})
    with_zero = _pad(graph, gradient, name, rank, {axis: (0, 1)})
    parts = [graph.op("Gather", with_zero, graph.integers(rows), axis=axis) for rows in _rows_to_read(taken, size)]
    return parts[0] if len(parts) == 1 else graph.op("Sum", *parts)


def _rows_to_read(taken: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Say for each place which row of the gradient it gets; the row behind the last one is zero."""
    reads = [np.full(size, len(taken))]
    times: dict[int, int] = {}
    for row, place in enumerate(taken.tolist()):
        number = times.get(place, 0)
        times[place] = number + 1
        if number == len(reads):
            reads.append(np.full(size, len(taken)))
        reads[number][place] = row
    return reads


def _pad(graph: Graph, tensor: str, like: str, rank: int, pads: Mapping[int, tuple[int, int]]) -> str:
    before, after = ([pads.get(axis, (0, 0))[side] for axis in range(rank)] for side in (0, 1))
    if not any(before + after):
        return tensor
    return graph.op("Pad", tensor, graph.integers(before + after), graph.like(0.0, like))


def _undo_pad(step: Step) -> Gradients:
    """Cut off what was added, and give zeros to what was cut off by negative padding."""
    step.want_only(0)
    mode = step.attribute("mode", b"constant").decode()
    if mode != "constant":
        raise NoRule(step.node, f"in mode {mode!r}")
    graph, name = step.graph, step.inputs[0]
    rank = len(graph.shape(name))
    axes = [normal_axis(axis, rank) for axis in _constant(step, 3)] if step.has_input(3) else list(range(rank))
    pads = _constant(step, 1)
    pairs = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    cut = {axis: pair for axis, pair in pairs.items() if max(pair) > 0}
    gradient = step.gradient
    if cut:
        starts = [max(0, before) for before, _ in cut.values()]
        ends = [-after if after > 0 else _TO_THE_END for _, after in cut.values()]
        gradient = graph.op("Slice", gradient, *map(graph.integers, (starts, ends, list(cut))))
    missing = {axis: (max(0, -before), max(0, -after)) for axis, (before, after) in pairs.items()}
    return [_pad(graph, gradient, name, rank, missing)]


def _depth_to_space(step: Step) -> Gradients:
    graph, name, block = step.graph, step.inputs[0], step.attribute("blocksize")
    if step.attribute("mode", b"DCR") == b"DCR":
        return [graph.op("SpaceToDepth", step.gradient, blocksize=block)]
    channels, height, width = (graph.size(name, axis) for axis in (1, 2, 3))
    sizes = graph.integers([-1, channels // block**2, height, block, width, block])
    apart = graph.op("Transpose", graph.op("Reshape", step.gradient, sizes), perm=[0, 1, 3, 5, 2, 4])
    return [reshape_like(graph, apart, name)]


def _space_to_depth(step: Step) -> Gradients:
    return [step.graph.op("DepthToSpace", step.gradient, blocksize=step.attribute("blocksize"), mode="DCR")]


def _constant(step: Step, place: int) -> Sequence[Any]:
    """Read an input that must be a constant row of integers."""
    values = step.graph.constant_value(step.inputs[place])
    if values is None:
        raise NoRule(step.node, f"with an input {place} that is no constant")
    row: Sequence[Any] = values.tolist()
    return row


REARRANGEMENT_RULES: Mapping[str, Rule] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Pad": _undo_pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _reshape,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
