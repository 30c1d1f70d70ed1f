"""Convolutions. Only their input gets a gradient: kernels are constants of an inference graph."""

from collections.abc import Mapping, Sequence

from export.differentiate.graph import Graph
from export.differentiate.step import Gradients, Rule, Step
from export.differentiate.windows import Windows, windows_of


def _conv(step: Step) -> Gradients:
    """Spread the gradient back through the kernel.

    At stride 1 this is a convolution with the kernel rotated by half a turn and its channels swapped (Dumoulin and
    Visin 2016, section 4), which runtimes run faster than a transposed convolution.
    """
    step.want_only(0)
    kernel = list(step.graph.shape(step.inputs[1])[2:])
    sizes = [step.graph.size(step.inputs[1], axis + 2) for axis in range(len(kernel))]
    windows = windows_of(step, sizes, step.inputs[0], step.output)
    pads = [_turned_pads(axis) for axis in windows]
    if all(axis.stride == 1 for axis in windows) and all(min(pair) >= 0 for pair in pads):
        return [_by_convolution(step, windows, pads)]
    return [_by_transposed_convolution(step, windows)]


def _turned_pads(axis: Windows) -> tuple[int, int]:
    return axis.extent - 1 - axis.before, axis.extent - 1 - axis.after


def _by_convolution(step: Step, windows: Sequence[Windows], pads: Sequence[tuple[int, int]]) -> str:
    return step.graph.op(
        "Conv",
        step.gradient,
        _turned_kernel(step),
        group=step.attribute("group", 1),
        dilations=[axis.dilation for axis in windows],
        pads=[*(before for before, _ in pads), *(after for _, after in pads)],
    )


def _turned_kernel(step: Step) -> str:
    """Rotate a kernel ``[O, I / groups, ...]`` by half a turn, and swap its channels to ``[I, O / groups, ...]``."""
    graph, name, groups = step.graph, step.inputs[1], step.attribute("group", 1)
    outputs, inputs, *spatial = (graph.size(name, axis) for axis in range(len(graph.shape(name))))
    kernel = name
    if groups > 1 and (inputs, outputs) != (1, groups):
        kernel = graph.op("Reshape", kernel, graph.integers([groups, outputs // groups, inputs, *spatial]))
        kernel = graph.op("Transpose", kernel, perm=[0, 2, 1, *range(3, 3 + len(spatial))])
        kernel = graph.op("Reshape", kernel, graph.integers([groups * inputs, outputs // groups, *spatial]))
    elif groups == 1:
        kernel = graph.op("Transpose", kernel, perm=[1, 0, *range(2, 2 + len(spatial))])
    turned = [axis + 2 for axis, size in enumerate(spatial) if size > 1]
    if not turned:
        return kernel
    last, before_first, steps = ([value] * len(turned) for value in (-1, -(2**31), -1))
    return graph.op("Slice", kernel, *map(graph.integers, (last, before_first, turned, steps)))


def _by_transposed_convolution(step: Step, windows: Sequence[Windows]) -> str:
    """Spread with a stride. Values that no window covers lie behind the last one and get zeros."""
    return step.graph.op(
        "ConvTranspose",
        step.gradient,
        step.inputs[1],
        group=step.attribute("group", 1),
        strides=[axis.stride for axis in windows],
        dilations=[axis.dilation for axis in windows],
        pads=[*(axis.before for axis in windows), *(max(0, axis.after) for axis in windows)],
        output_padding=[max(0, -axis.after) for axis in windows],
    )


def _conv_transpose(step: Step) -> Gradients:
    """Collect the gradient with a convolution by the same kernel."""
    step.want_only(0)
    graph, kernel = step.graph, step.inputs[1]
    sizes = [graph.size(kernel, axis + 2) for axis in range(len(graph.shape(kernel)) - 2)]
    windows = windows_of(step, sizes, step.output, step.inputs[0])
    gathered = graph.op(
        "Conv",
        step.gradient,
        kernel,
        group=step.attribute("group", 1),
        strides=[axis.stride for axis in windows],
        dilations=[axis.dilation for axis in windows],
        pads=[*(axis.before for axis in windows), *(max(0, axis.after) for axis in windows)],
    )
    return [_without_surplus(graph, gathered, windows)]


def _without_surplus(graph: Graph, gathered: str, windows: Sequence[Windows]) -> str:
    """Cut off the windows that fit where dilation allows more output padding than a stride."""
    surplus = [number + 2 for number, axis in enumerate(windows) if -axis.after >= axis.stride]
    if not surplus:
        return gathered
    counts = [windows[axis - 2].count for axis in surplus]
    return graph.op("Slice", gathered, *map(graph.integers, ([0] * len(surplus), counts, surplus)))


CONVOLUTION_RULES: Mapping[str, Rule] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
