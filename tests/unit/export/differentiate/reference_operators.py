"""Operators that `onnx.reference` (1.23) lacks or gets wrong, written with numpy.

Its ConvTranspose fails for most groups, its Erf computes in float32, its GlobalMaxPool knows images alone, its MaxPool
answers another shape for SAME_LOWER at a stride, its Mean fails where shapes differ, its Pad refuses negative numbers,
and its pools visit value by value. What these compute forwards is held against ONNX Runtime in every test.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy import special

from tests.unit.export.differentiate.tensors import Array


@dataclass(frozen=True, slots=True)
class _Axis:
    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int

    @property
    def places(self) -> Array:
        """Places ``[count, kernel]`` of every window, counted from the first value."""
        starts = np.arange(self.count)[:, np.newaxis] * self.stride - self.before
        return starts + np.arange(self.kernel) * self.dilation


def _axes(sizes: Sequence[int], kernel: Sequence[int], attributes: dict[str, Any]) -> list[_Axis]:
    rank = len(sizes)
    strides = attributes.get("strides") or [1] * rank
    dilations = attributes.get("dilations") or [1] * rank
    pads = attributes.get("pads") or [0] * 2 * rank
    return [
        _axis(sizes[i], kernel[i], strides[i], dilations[i], (pads[i], pads[i + rank]), attributes) for i in range(rank)
    ]


def _axis(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], attributes: dict[str, Any]
) -> _Axis:
    extent = (kernel - 1) * dilation + 1
    auto_pad = attributes.get("auto_pad") or "NOTSET"
    before, after = (0, 0) if auto_pad == "VALID" else pads
    if auto_pad.startswith("SAME"):
        padding = max(0, (math.ceil(size / stride) - 1) * stride + extent - size)
        before = padding // 2 if auto_pad == "SAME_UPPER" else math.ceil(padding / 2)
        after = padding - before
    rounded = math.ceil if attributes.get("ceil_mode") else math.floor
    count = rounded((size + before + after - extent) / stride) + 1
    if attributes.get("ceil_mode") and (count - 1) * stride >= size + before:
        count -= 1
    return _Axis(size, kernel, stride, dilation, before, after, count)


def _windows(x: Array, axes: Sequence[_Axis]) -> Array:
    """Take ``[n, c, count, kernel, count, kernel, ...]``; outside the values is NaN."""
    for number, axis in enumerate(axes):
        place = 2 + 2 * number
        inside = (axis.places >= 0) & (axis.places < axis.size)
        taken = np.take(x, np.where(inside, axis.places, 0), axis=place)
        x = np.where(inside.reshape(*inside.shape, *[1] * (x.ndim - place - 1)), taken, np.nan)
    return x


class MaxPool(OpRun):
    """The largest value of every window."""

    op_domain = ""

    def _run(self, x: Array, kernel_shape: Sequence[int] = (), **attributes: Any) -> tuple[Array]:
        axes = _axes(x.shape[2:], kernel_shape, attributes)
        kernels = tuple(3 + 2 * number for number in range(len(axes)))
        return (np.nanmax(_windows(x, axes), axis=kernels),)


class AveragePool(OpRun):
    """The mean of every window. Padding that the node names may count; what rounding up adds never does."""

    op_domain = ""

    def _run(self, x: Array, kernel_shape: Sequence[int] = (), **attributes: Any) -> tuple[Array]:
        axes = _axes(x.shape[2:], kernel_shape, attributes)
        kernels = tuple(3 + 2 * number for number in range(len(axes)))
        members = np.ones(())
        for axis in axes:
            first, last = (
                (-axis.before, axis.size + axis.after) if attributes.get("count_include_pad") else (0, axis.size)
            )
            along = ((axis.places >= first) & (axis.places < last)).sum(axis=1)
            members = np.multiply.outer(members, along)
        return (np.asarray(np.nansum(_windows(x, axes), axis=kernels) / members, dtype=x.dtype),)


class Mean(OpRun):
    """The mean of tensors of several shapes."""

    op_domain = ""

    def _run(self, *tensors: Array) -> tuple[Array]:
        total = tensors[0]
        for tensor in tensors[1:]:
            total = total + tensor
        return (np.asarray(total / len(tensors), dtype=total.dtype),)


class Erf(OpRun):
    """The error function."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array]:
        return (np.asarray(special.erf(x), dtype=x.dtype),)


class Gelu(OpRun):
    """``x * Phi(x)``, exact or by the tanh approximation; as a function of onnx it calls the Erf of float32."""

    op_domain = ""

    def _run(self, x: Array, approximate: str = "none") -> tuple[Array]:
        if approximate == "tanh":
            phi = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        else:
            phi = special.ndtr(x)
        return (np.asarray(x * phi, dtype=x.dtype),)


class Pad(OpRun):
    """Constants around the values; negative numbers cut values off."""

    op_domain = ""

    def _run(
        self, x: Array, pads: Array, value: Array | None = None, axes: Array | None = None, mode: str = "constant"
    ) -> tuple[Array]:
        assert mode == "constant"
        places = range(x.ndim) if axes is None else axes.tolist()
        added = [(0, 0)] * x.ndim
        for place, before, after in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
            added[place] = (int(before), int(after))
        kept = tuple(
            slice(max(0, -before), size - max(0, -after)) for (before, after), size in zip(added, x.shape, strict=True)
        )
        widths = [(max(0, before), max(0, after)) for before, after in added]
        return (np.pad(x[kept], widths, constant_values=0 if value is None else value.item()),)


class GlobalMaxPool(OpRun):
    """The largest value of every map."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class ConvTranspose(OpRun):
    """Every value spreads a kernel over the result."""

    op_domain = ""

    def _run(self, x: Array, w: Array, b: Array | None = None, group: int = 1, **attributes: Any) -> tuple[Array]:
        kernel = w.shape[2:]
        rank = len(kernel)
        strides = attributes.get("strides") or [1] * rank
        dilations = attributes.get("dilations") or [1] * rank
        padding = attributes.get("output_padding") or [0] * rank
        reach = [
            strides[i] * (x.shape[i + 2] - 1) + dilations[i] * (kernel[i] - 1) + 1 + padding[i] for i in range(rank)
        ]
        grouped = x.reshape(len(x), group, -1, *x.shape[2:])
        kernels = w.reshape(group, -1, *w.shape[1:])
        full = np.zeros((len(x), group, w.shape[1], *reach), x.dtype)
        for offset in itertools.product(*map(range, kernel)):
            at_offset: tuple[Any, ...] = (..., *offset)
            covered: tuple[Any, ...] = (
                ...,
                *(
                    slice(o * d, o * d + s * (size - 1) + 1, s)
                    for o, d, s, size in zip(offset, dilations, strides, x.shape[2:], strict=True)
                ),
            )
            full[covered] += np.einsum("ngi...,gio->ngo...", grouped, kernels[at_offset])
        cut = _cut(reach, [s * size for s, size in zip(strides, x.shape[2:], strict=True)], attributes)
        result = full.reshape(len(x), -1, *reach)[cut]
        return (result if b is None else result + b.reshape(-1, *[1] * rank),)


def _cut(reach: Sequence[int], same: Sequence[int], attributes: dict[str, Any]) -> tuple[Any, ...]:
    """Say which part of the full result the pads leave."""
    rank = len(reach)
    auto_pad, shape = attributes.get("auto_pad") or "NOTSET", attributes.get("output_shape")
    if auto_pad.startswith("SAME") or shape:
        total = [full - wanted for full, wanted in zip(reach, shape or same, strict=True)]
        before = [each // 2 if auto_pad == "SAME_UPPER" else each - each // 2 for each in total]
        return (..., *(slice(b, b + wanted) for b, wanted in zip(before, shape or same, strict=True)))
    pads = attributes.get("pads") or [0] * 2 * rank
    return (..., *(slice(pads[i], full - pads[i + rank]) for i, full in enumerate(reach)))


def run_reference(model: ModelProto, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
    """Evaluate a model as onnx defines the operators."""
    operators: list[type[OpRun]] = [AveragePool, ConvTranspose, Erf, Gelu, GlobalMaxPool, MaxPool, Mean, Pad]
    results = ReferenceEvaluator(model, new_ops=operators).run(list(outputs), dict(feeds))
    return [np.asarray(result) for result in results]
