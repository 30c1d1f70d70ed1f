"""Convolutions: strides, padding, dilation, groups, and sizes at which values are left over."""

from typing import Any

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, single
from tests.unit.export.differentiate.tensors import Array


def weights(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def conv(size: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> Network:
    """Make a convolution of ``[n, *size]`` with a kernel ``[O, I / group, ...]``; with a bias."""
    constants = {"w": weights(*kernel), "b": weights(kernel[0])}
    return single("Conv", {"x": (BATCH, *size)}, constants, **attributes)


def transposed(size: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> Network:
    """Make a transposed convolution of ``[n, *size]`` with a kernel ``[I, O / group, ...]``."""
    return single("ConvTranspose", {"x": (BATCH, *size)}, {"w": weights(*kernel)}, **attributes)


CASES = {
    "stride 1": conv((3, 5, 6), (4, 3, 3, 3), pads=[1, 1, 1, 1]),
    "no padding": conv((2, 5, 6), (3, 2, 3, 3)),
    "1x1": conv((3, 4, 5), (2, 3, 1, 1)),
    "1x1 at stride 2": conv((3, 5, 6), (2, 3, 1, 1), strides=[2, 2]),
    "row kernel": conv((2, 5, 6), (3, 2, 1, 3), pads=[0, 1, 0, 1]),
    "column kernel at stride 1, 2": conv((2, 7, 7), (3, 2, 3, 1), strides=[1, 2]),
    "stride 2": conv((2, 7, 7), (3, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
    "stride 2, a row left over": conv((2, 8, 7), (3, 2, 3, 3), strides=[2, 2]),
    "stride 3, two left over": conv((2, 8, 9), (3, 2, 3, 3), strides=[3, 3]),
    "stride above the kernel": conv((2, 9, 8), (3, 2, 2, 2), strides=[3, 3]),
    "unequal strides": conv((2, 8, 9), (3, 2, 3, 3), strides=[1, 3], pads=[1, 0, 1, 1]),
    "unequal pads": conv((2, 6, 7), (3, 2, 3, 3), pads=[0, 2, 1, 0]),
    "unequal pads at stride 2": conv((2, 6, 7), (3, 2, 3, 3), pads=[0, 2, 1, 0], strides=[2, 2]),
    "pads above the kernel": conv((2, 4, 4), (3, 2, 2, 2), pads=[2, 3, 3, 2]),
    "pads above the kernel at stride 2": conv((2, 4, 5), (3, 2, 2, 2), pads=[3, 2, 2, 3], strides=[2, 2]),
    "even kernel": conv((2, 6, 5), (3, 2, 4, 2), pads=[1, 0, 2, 1]),
    "same upper": conv((2, 6, 5), (3, 2, 4, 2), auto_pad="SAME_UPPER"),
    "same lower": conv((2, 6, 5), (3, 2, 4, 2), auto_pad="SAME_LOWER"),
    "same upper at stride 2": conv((2, 7, 8), (3, 2, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    "same lower at stride 2": conv((2, 7, 8), (3, 2, 3, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
    "valid": conv((2, 6, 7), (3, 2, 3, 3), auto_pad="VALID", strides=[2, 2]),
    "dilation": conv((2, 8, 9), (3, 2, 3, 3), dilations=[2, 3], pads=[2, 1, 0, 3]),
    "dilation at stride 2": conv((2, 9, 8), (3, 2, 3, 3), dilations=[2, 2], strides=[2, 2], pads=[1, 2, 1, 0]),
    "groups": conv((4, 5, 5), (6, 2, 3, 3), group=2, pads=[1, 1, 1, 1]),
    "groups at stride 2": conv((4, 5, 6), (6, 2, 3, 3), group=2, strides=[2, 2]),
    "depthwise": conv((3, 5, 5), (3, 1, 3, 3), group=3, pads=[1, 1, 1, 1]),
    "depthwise at stride 2": conv((3, 6, 6), (3, 1, 3, 3), group=3, strides=[2, 2], pads=[1, 1, 1, 1]),
    "two kernels a channel": conv((3, 5, 5), (6, 1, 3, 3), group=3, pads=[1, 1, 1, 1]),
    "two kernels a channel at stride 2": conv((3, 6, 5), (6, 1, 3, 3), group=3, strides=[2, 2]),
    "groups that join channels": conv((6, 4, 4), (3, 2, 3, 3), group=3),
    "one axis": conv((2, 9), (3, 2, 3), strides=[2], pads=[1, 1]),
    "one axis at stride 1": conv((2, 9), (3, 2, 4), pads=[2, 1]),
    "three axes": conv((2, 4, 5, 4), (2, 2, 2, 3, 2), pads=[1, 1, 0, 0, 1, 1]),
    "three axes at stride 2": conv((1, 4, 5, 5), (2, 1, 2, 3, 2), strides=[2, 2, 2]),
    "kernel shape given": conv((2, 5, 5), (3, 2, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "kernel as large as the image": conv((2, 4, 5), (3, 2, 4, 5)),
    "transposed": transposed((3, 4, 5), (3, 2, 3, 3)),
    "transposed at stride 2": transposed((3, 4, 5), (3, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed, output padding": transposed(
        (3, 4, 3), (3, 2, 3, 3), strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2]
    ),
    "transposed, output padding within pads": transposed(
        (2, 3, 3), (2, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    "transposed, output padding above the stride": transposed(
        (2, 3, 3), (2, 2, 2, 2), strides=[1, 1], dilations=[3, 3], output_padding=[2, 1], in_runtime=False
    ),
    "transposed groups": transposed((4, 3, 4), (4, 3, 3, 2), group=2, strides=[2, 2]),
    "transposed depthwise": transposed((3, 4, 4), (3, 1, 2, 2), group=3, strides=[2, 2]),
    "transposed to a given shape, output padding": transposed(
        (2, 3, 4), (2, 2, 3, 3), strides=[2, 2], output_shape=[5, 7], output_padding=[1, 1]
    ),
    "transposed with dilation": transposed((2, 4, 4), (2, 2, 3, 3), dilations=[2, 2], pads=[1, 2, 2, 1]),
    "transposed same upper": transposed((2, 3, 4), (2, 2, 3, 4), strides=[2, 2], auto_pad="SAME_UPPER"),
    "transposed same lower": transposed((2, 3, 4), (2, 2, 3, 4), strides=[2, 2], auto_pad="SAME_LOWER"),
    "transposed valid": transposed((2, 3, 4), (2, 2, 3, 3), strides=[2, 2], auto_pad="VALID"),
    "transposed to a given shape": transposed((2, 3, 4), (2, 2, 3, 3), strides=[2, 2], output_shape=[6, 8]),
    "transposed, one axis": transposed((2, 5), (2, 3, 3), strides=[2]),
    "transposed, three axes": transposed((2, 2, 3, 2), (2, 1, 2, 2, 2), strides=[2, 1, 2]),
}
