"""Normalisations and softmax."""

from typing import Any

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, node, single
from tests.unit.export.differentiate.tensors import Array


def channels(count: int, shift: float = 0.0) -> Array:
    return np.random.default_rng(count).uniform(0.5, 1.5, count) + shift


def batch_normalization(shape: tuple[int | str, ...], **attributes: Any) -> Network:
    statistics = {"scale": channels(3, -1), "bias": channels(3), "mean": channels(3, 1), "variance": channels(3)}
    return single("BatchNormalization", {"x": shape}, statistics, **attributes)


def instance_normalization(shape: tuple[int | str, ...], **attributes: Any) -> Network:
    return single("InstanceNormalization", {"x": shape}, {"scale": channels(3, -1), "bias": channels(3)}, **attributes)


def grid(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape)


CASES = {
    "batch": batch_normalization((BATCH, 3, 4, 5)),
    "batch, epsilon": batch_normalization((BATCH, 3, 4, 5), epsilon=0.3),
    "batch, no spatial axis": batch_normalization((BATCH, 3)),
    "batch, one axis": batch_normalization((BATCH, 3, 4)),
    "instance": instance_normalization((BATCH, 3, 3, 4)),
    "instance, epsilon": instance_normalization((BATCH, 3, 5), epsilon=0.3),
    "layer": single("LayerNormalization", {"x": (BATCH, 3, 4)}, {"scale": grid(4), "bias": grid(4)}),
    "layer without bias": single("LayerNormalization", {"x": (BATCH, 3, 4)}, {"scale": grid(4)}),
    "layer over two axes": single(
        "LayerNormalization", {"x": (BATCH, 3, 4)}, {"scale": grid(3, 4), "bias": grid(3, 4)}, axis=1, epsilon=0.2
    ),
    "layer over two axes from behind": single("LayerNormalization", {"x": (BATCH, 3, 4)}, {"scale": grid(4)}, axis=-2),
    **{
        f"{op_type}, axis {axis}": single(op_type, {"x": (BATCH, 3, 4)}, axis=axis)
        for op_type in ("Softmax", "LogSoftmax")
        for axis in (1, 2, -1, -2)
    },
    "Softmax of two": single("Softmax", {"x": (BATCH, 2)}),
    "LogSoftmax of two": single("LogSoftmax", {"x": (BATCH, 2)}),
    "attention": Network(
        [
            node("Transpose", "x", "t", perm=[0, 2, 1]),
            node("MatMul", "x t", "scores"),
            node("Softmax", "scores", "shares"),
            node("MatMul", "shares x"),
        ],
        {"x": (BATCH, 3, 4)},
    ),
}
