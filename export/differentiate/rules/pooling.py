"""Pooling over windows and over whole maps.

Channels do not mix, so windows are handled on maps ``[n * c, 1, ...]``.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.differentiate.errors import NoRule
from export.differentiate.graph import Graph
from export.differentiate.rules.shapes import expand_like, reshape_like
from export.differentiate.step import Gradients, Rule, Step
from export.differentiate.windows import Windows, windows_of

_Offset = tuple[int, ...]


def _max_pool(step: Step) -> Gradients:
    """Give each window's gradient to the first place, row by row, that holds its maximum.

    The places of the windows are compared with the maximum one after the other, and what a place gets is taken from
    what is left for the next ones. This needs no `Indices` output, which TensorRT refuses.
    """
    windows = windows_of(step, step.attribute("kernel_shape"), step.inputs[0], step.output)
    graph = step.graph
    maximum = _maps(graph, step.output, [axis.count for axis in windows])
    left = _maps(graph, step.gradient, [axis.count for axis in windows])
    offsets = list(itertools.product(*(range(axis.kernel) for axis in windows)))
    places = _Places(step, windows)
    shares = []
    for offset in offsets[:-1]:
        is_maximum = graph.cast_like(graph.op("Equal", places.values(offset), maximum), step.output)
        shares.append(graph.op("Mul", left, is_maximum))
        left = graph.op("Sub", left, shares[-1])
    return [reshape_like(graph, _gather_shares(step, windows, [*shares, left]), step.inputs[0])]


def _maps(graph: Graph, tensor: str, sizes: Sequence[int]) -> str:
    return graph.op("Reshape", tensor, graph.integers([-1, 1, *sizes]))


class _Places:
    """The values at one place of every window.

    With the same stride along both axes of an image, the values are first sorted by their place modulo the stride,
    so that each place of the windows is a plain part of one of these sub-images: faster than slices with a stride.
    """

    def __init__(self, step: Step, windows: Sequence[Windows]) -> None:
        self._graph, self._windows = step.graph, windows
        maps = _maps(step.graph, step.inputs[0], [axis.size for axis in windows])
        strides = {axis.stride for axis in windows}
        self._stride = strides.pop() if len(windows) == 2 and len(strides) == 1 else 1
        padded = self._pad(maps, float(np.finfo(step.graph.dtype(step.output)).min), step)
        self._sorted = step.graph.op("SpaceToDepth", padded, blocksize=self._stride) if self._stride > 1 else padded

    def _pad(self, maps: str, value: float, step: Step) -> str:
        before, after = [0, 0], [0, 0]
        for axis in self._windows:
            reach = max(axis.before + axis.size, (axis.count - 1) * axis.stride + axis.extent)
            before.append(axis.before)
            after.append(-(-reach // self._stride) * self._stride - axis.before - axis.size)
        if not any(before + after):
            return maps
        return self._graph.op("Pad", maps, self._graph.integers(before + after), step.graph.like(value, step.output))

    def values(self, offset: _Offset) -> str:
        """Write the values at this place of every window, ``[n * c, 1, counts...]``."""
        shifts = [place * axis.dilation for place, axis in zip(offset, self._windows, strict=True)]
        starts, ends, axes, steps = [], [], [], []
        if self._stride > 1:
            sub_image = (shifts[0] % self._stride) * self._stride + shifts[1] % self._stride
            starts, ends, axes, steps = [sub_image], [sub_image + 1], [1], [1]
        for number, (shift, axis) in enumerate(zip(shifts, self._windows, strict=True)):
            start, stride = (shift // self._stride, 1) if self._stride > 1 else (shift, axis.stride)
            starts.append(start)
            ends.append(start + (axis.count - 1) * stride + 1)
            axes.append(number + 2)
            steps.append(stride)
        return self._graph.op("Slice", self._sorted, *map(self._graph.integers, (starts, ends, axes, steps)))


def _gather_shares(step: Step, windows: Sequence[Windows], shares: Sequence[str]) -> str:
    """Add up what each value gets from the windows it lies in, given the share of every place of the windows."""
    graph, count = step.graph, len(shares)
    if _tile_an_image(windows):
        return graph.op("DepthToSpace", graph.op("Concat", *shares, axis=1), blocksize=windows[0].stride, mode="DCR")
    kernel = np.eye(count).reshape(count, 1, *(axis.kernel for axis in windows))
    return _spread(graph, graph.op("Concat", *shares, axis=1), graph.like(kernel, step.output), windows)


def _tile_an_image(windows: Sequence[Windows]) -> bool:
    """Tell whether square windows cover an image side by side, so that nothing needs to be added up."""
    return (
        len(windows) == 2
        and windows[0].stride > 1
        and all(
            (axis.kernel, axis.dilation, axis.before, axis.after) == (axis.stride, 1, 0, 0)
            and axis.stride == windows[0].stride
            for axis in windows
        )
    )


def _spread(graph: Graph, shares: str, kernel: str, windows: Sequence[Windows]) -> str:
    return graph.op(
        "ConvTranspose",
        shares,
        kernel,
        strides=[axis.stride for axis in windows],
        dilations=[axis.dilation for axis in windows],
        pads=[*(axis.before for axis in windows), *(max(0, axis.after) for axis in windows)],
        output_padding=[max(0, -axis.after) for axis in windows],
    )


def _average_pool(step: Step) -> Gradients:
    """Give every value of a window the same share."""
    windows = windows_of(step, step.attribute("kernel_shape"), step.inputs[0], step.output)
    graph = step.graph
    shares = graph.like(1 / _members(step, windows)[np.newaxis, np.newaxis], step.output)
    gradient = _maps(graph, graph.op("Mul", step.gradient, shares), [axis.count for axis in windows])
    ones = graph.like(np.ones((1, 1, *(axis.kernel for axis in windows))), step.output)
    return [reshape_like(graph, _spread(graph, gradient, ones, windows), step.inputs[0])]


def _members(step: Step, windows: Sequence[Windows]) -> NDArray[np.float64]:
    """Count the values that each window averages; padding counts if the node says so."""
    padded = bool(step.attribute("count_include_pad", 0))
    automatic = step.attribute("auto_pad", b"NOTSET") not in (b"NOTSET", b"")
    ends = [axis.after for axis in windows] if automatic else step.attribute("pads", [0] * 2 * len(windows))
    counts = [_members_along(axis, padded, end) for axis, end in zip(windows, ends[-len(windows) :], strict=True)]
    members = counts[0]
    for further in counts[1:]:
        members = np.multiply.outer(members, further)
    return members


def _members_along(axis: Windows, padded: bool, end: int) -> NDArray[np.float64]:
    places = np.arange(axis.count)[:, np.newaxis] * axis.stride + np.arange(axis.kernel) * axis.dilation - axis.before
    first, last = (-axis.before, axis.size + max(end, 0)) if padded else (0, axis.size)
    return np.asarray(((places >= first) & (places < last)).sum(axis=1), dtype=np.float64)


def _global_average_pool(step: Step) -> Gradients:
    graph, name = step.graph, step.inputs[0]
    values = int(np.prod([graph.size(name, axis) for axis in range(2, len(graph.shape(name)))]))
    return [expand_like(graph, graph.op("Mul", step.gradient, graph.like(1 / values, name)), name)]


def _global_max_pool(step: Step) -> Gradients:
    """Give the gradient of a map to its first largest value."""
    graph, name = step.graph, step.inputs[0]
    shape = graph.shape(name)
    if len(shape) < 3:
        raise NoRule(step.node, "without spatial axes")
    values = int(np.prod([graph.size(name, axis) for axis in range(2, len(shape))]))
    flat = graph.op("Reshape", name, graph.integers([0, 0, values]))
    first = graph.op("ArgMax", flat, axis=2, keepdims=1)
    chosen = graph.cast_like(graph.op("Equal", first, graph.integers(np.arange(values))), name)
    gradient = graph.op("Reshape", step.gradient, graph.integers([0, 0, 1]))
    return [reshape_like(graph, graph.op("Mul", gradient, chosen), name)]


POOLING_RULES: Mapping[str, Rule] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
}
