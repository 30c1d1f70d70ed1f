"""A network small enough to be explained again in numpy."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE, CHANNELS = 6, 3
KERNEL = np.random.default_rng(0).normal(size=(CHANNELS, 1, 2, 2)) / 100
BIAS = np.array([0.2, -0.1, 0.05])
DENSE = np.array([[0.0, 1.5], [0.3, -0.8], [-0.2, 0.9]])


def classifier(activation: str = "Relu", last: str | None = None) -> onnx.ModelProto:
    """Grey levels, convolution by 2x2 with stride 2, activation, mean, two logits; float64 for exact comparisons."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.DOUBLE),
        helper.make_node("Transpose", ["grey"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel", "bias"], ["maps"], strides=[2, 2]),
        helper.make_node(activation, ["maps"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["activation"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("MatMul", ["features", "dense"], ["logits"]),
    ]
    output = "logits"
    if last:
        output = "probabilities"
        nodes.append(helper.make_node(last, ["logits"], [output]))
    weights = {"kernel": KERNEL, "bias": BIAS, "dense": DENSE}
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info(output, TensorProto.DOUBLE, ["batch", 2])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def radiographs(count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


def forward(images: NDArray[np.uint8] | NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    """The same in numpy, loop by loop; `images` ``[n, SIDE, SIDE, 1]``."""
    size = SIDE // 2
    maps = np.zeros((len(images), CHANNELS, size, size))
    for row in range(size):
        for column in range(size):
            patch = images[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, 0]
            maps[:, :, row, column] = np.einsum("nij,cij->nc", patch, KERNEL[:, 0]) + BIAS
    activation = np.maximum(maps, 0)
    return {"maps": maps, "activation": activation, "logits": activation.mean(axis=(2, 3)) @ DENSE}
