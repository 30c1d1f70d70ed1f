"""Where the windows of a convolution or a pooling lie, along each spatial axis."""

from dataclasses import dataclass

from export.differentiate.errors import NoRule
from export.differentiate.step import Step


@dataclass(frozen=True, slots=True)
class Windows:
    """One spatial axis: `count` windows of `kernel` places, `dilation` apart, one window every `stride` places.

    The first window starts `before` places ahead of the `size` values. `after` is how far the last one reaches beyond
    them; it is negative if the last values are in no window.
    """

    size: int
    count: int
    kernel: int
    stride: int
    dilation: int
    before: int

    @property
    def extent(self) -> int:
        """Places from the first to the last of one window."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def after(self) -> int:
        """Places by which the last window reaches beyond the values."""
        return (self.count - 1) * self.stride + self.extent - self.before - self.size


def windows_of(step: Step, kernel: list[int], data: str, result: str) -> list[Windows]:
    """Read the windows of a node, one entry for each spatial axis.

    Parameters
    ----------
    step
        The node.
    kernel
        Size of the window along each spatial axis.
    data
        Tensor over which the windows run, ``[n, c, ...]``.
    result
        Tensor with one value for each window.
    """
    axes = range(len(kernel))
    strides = step.attribute("strides", [1] * len(kernel))
    dilations = step.attribute("dilations", [1] * len(kernel))
    pads = step.attribute("pads", [0] * 2 * len(kernel))
    sizes = [step.graph.size(data, axis + 2) for axis in axes]
    counts = [step.graph.size(result, axis + 2) for axis in axes]
    surplus = step.attribute("output_padding", [0] * len(kernel))
    windows = [
        Windows(sizes[axis], counts[axis], kernel[axis], strides[axis], dilations[axis], pads[axis]) for axis in axes
    ]
    return [
        _automatic(step, window, more) if _is_automatic(step) else _explicit(step, window)
        for window, more in zip(windows, surplus, strict=True)
    ]


def _is_automatic(step: Step) -> bool:
    return step.attribute("auto_pad", b"NOTSET") not in (b"NOTSET", b"") or bool(step.attribute("output_shape"))


def _explicit(step: Step, windows: Windows) -> Windows:
    """Refuse a window that starts behind the values: shape inference counts it below opset 22, runtimes do not."""
    if (windows.count - 1) * windows.stride >= windows.size + windows.before and step.attribute("ceil_mode", 0):
        raise NoRule(step.node, "whose last window lies in the padding")
    return windows


def _automatic(step: Step, windows: Windows, surplus: int) -> Windows:
    """Resolve `auto_pad` and `output_shape`; where padding is odd, only SAME_UPPER puts the larger part behind.

    `surplus` is the output padding of a transposed convolution.
    """
    padding = max(0, (windows.count - 1) * windows.stride + windows.extent + surplus - windows.size)
    auto_pad = step.attribute("auto_pad", b"NOTSET")
    before = {b"VALID": 0, b"SAME_UPPER": padding // 2}.get(auto_pad, padding - padding // 2)
    return Windows(windows.size, windows.count, windows.kernel, windows.stride, windows.dilation, before)
