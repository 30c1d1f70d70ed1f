"""Pooling: overlapping windows, padding, rounding up, dilation."""

from typing import Any

from tests.unit.export.differentiate.gradients import BATCH, Network, single
from tests.unit.export.differentiate.tensors import distinct


def max_pool(size: tuple[int, ...], kernel: list[int], **attributes: Any) -> Network:
    return single("MaxPool", {"x": (BATCH, *size)}, kernel_shape=kernel, values=distinct, **attributes)


def average_pool(size: tuple[int, ...], kernel: list[int], **attributes: Any) -> Network:
    return single("AveragePool", {"x": (BATCH, *size)}, kernel_shape=kernel, **attributes)


CASES = {
    "max 2x2": max_pool((2, 4, 6), [2, 2], strides=[2, 2]),
    "max 2x2, a row left over": max_pool((2, 5, 7), [2, 2], strides=[2, 2]),
    "max 3x3 at stride 2": max_pool((2, 7, 7), [3, 3], strides=[2, 2]),
    "max 3x3 at stride 2, padded": max_pool((2, 6, 7), [3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "max 3x3 at stride 1": max_pool((2, 5, 6), [3, 3]),
    "max 3x3 at stride 3, two left over": max_pool((2, 8, 8), [3, 3], strides=[3, 3]),
    "max at a stride above the kernel": max_pool((2, 8, 9), [2, 2], strides=[3, 3]),
    "max, unequal strides": max_pool((2, 6, 7), [3, 2], strides=[1, 2]),
    "max, unequal kernel": max_pool((2, 6, 7), [1, 3], strides=[2, 2]),
    "max, unequal pads": max_pool((2, 5, 6), [3, 3], strides=[2, 2], pads=[0, 2, 1, 0]),
    "max, dilation": max_pool((2, 7, 8), [2, 3], dilations=[2, 2]),
    "max, dilation at stride 2": max_pool((2, 8, 9), [2, 3], dilations=[3, 2], strides=[2, 2], pads=[1, 1, 0, 1]),
    "max, rounded up": max_pool((2, 6, 6), [3, 3], strides=[2, 2], ceil_mode=1),
    "max, rounded up at stride 3": max_pool((2, 7, 8), [2, 2], strides=[3, 3], ceil_mode=1),
    "max, rounded up and padded": max_pool((2, 6, 8), [3, 3], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1),
    "max same upper": max_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    "max same lower": max_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    "max valid": max_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="VALID"),
    "max, one axis": max_pool((2, 8), [3], strides=[2]),
    "max, one axis at stride 1": max_pool((2, 6), [2]),
    "max, three axes": max_pool((2, 4, 5, 4), [2, 3, 2], strides=[2, 1, 2]),
    "max, three axes, equal strides": max_pool((1, 5, 5, 4), [3, 2, 2], strides=[2, 2, 2], pads=[1, 0, 0, 1, 1, 0]),
    "max over 1x1": max_pool((2, 5, 5), [1, 1], strides=[2, 2]),
    "max over everything": max_pool((2, 4, 5), [4, 5]),
    "average 2x2": average_pool((2, 4, 6), [2, 2], strides=[2, 2]),
    "average 2x2, a row left over": average_pool((2, 5, 7), [2, 2], strides=[2, 2]),
    "average 3x3 at stride 1": average_pool((2, 5, 6), [3, 3]),
    "average 3x3 at stride 2, padded": average_pool((2, 6, 7), [3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average with padding counted": average_pool(
        (2, 6, 7), [3, 3], strides=[2, 2], pads=[1, 0, 1, 2], count_include_pad=1
    ),
    "average, unequal strides": average_pool((2, 6, 7), [3, 2], strides=[1, 2]),
    "average at a stride above the kernel": average_pool((2, 8, 9), [2, 2], strides=[3, 3]),
    "average, rounded up": average_pool((2, 6, 6), [3, 3], strides=[2, 2], ceil_mode=1),
    "average, rounded up and padded": average_pool((2, 6, 8), [3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    "average, rounded up with padding counted": average_pool(
        (2, 6, 8), [3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1
    ),
    "average same upper": average_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    "average same lower": average_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    "average same upper with padding counted": average_pool(
        (2, 7, 6), [3, 3], strides=[2, 2], auto_pad="SAME_UPPER", count_include_pad=1
    ),
    "average same lower with padding counted": average_pool(
        (2, 7, 6), [3, 3], strides=[2, 2], auto_pad="SAME_LOWER", count_include_pad=1
    ),
    "average valid": average_pool((2, 7, 6), [3, 2], strides=[2, 2], auto_pad="VALID"),
    "average, dilation": average_pool((2, 7, 8), [2, 3], dilations=[2, 2], opset=19),
    "average, one axis": average_pool((2, 8), [3], strides=[2], pads=[1, 0]),
    "average, three axes": average_pool((2, 4, 5, 4), [2, 3, 2], strides=[2, 1, 2]),
    "global average": single("GlobalAveragePool", {"x": (BATCH, 3, 4, 5)}),
    "global average, one axis": single("GlobalAveragePool", {"x": (BATCH, 3, 4)}),
    "global average, three axes": single("GlobalAveragePool", {"x": (BATCH, 2, 2, 3, 2)}),
    "global max": single("GlobalMaxPool", {"x": (BATCH, 3, 4, 5)}, values=distinct),
    "global max, one axis": single("GlobalMaxPool", {"x": (BATCH, 3, 4)}, values=distinct),
    "global max, three axes": single("GlobalMaxPool", {"x": (BATCH, 2, 2, 3, 2)}, values=distinct),
}
