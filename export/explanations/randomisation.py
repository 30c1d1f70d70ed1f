"""A classifier that has forgotten what it learned: its weights shuffled, with random signs.

The model-parameter randomisation test of Adebayo et al. 2018 ("Sanity checks for saliency maps", arXiv:1810.03292,
section 4): a method whose picture stays the same does not show what the network has learned.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

from export.explainable.choice import choose
from export.explainable.maps import add_maps

_LEARNED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE})
LOG_ODDS = "logits:1"


def shuffle_weights(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Put the values of each weight tensor, all layers at once, in a random order, and give them random signs.

    The sizes of a tensor's values stay as they were; where they stand does not. Without new signs, the mean of each
    kernel would stay too and add up from layer to layer: the log-odds of this project's classifier then come to about
    +100 for every radiograph. An untrained network, as Adebayo et al. draw it, has weights around 0. Biases keep their
    signs.

    Parameters
    ----------
    model
        Is not changed.
    seed
        Of the order.

    Returns
    -------
    The model with the kernels, matrices and biases of every convolution and matrix product shuffled, each as a whole.

    Raises
    ------
    ValueError
        The model has no such weights.
    """
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(model)
    names = set(_learned(shuffled.graph))
    weights = [tensor for tensor in shuffled.graph.initializer if tensor.name in names and tensor.data_type in _FLOATS]
    if not weights:
        raise ValueError(f"The model must have weights to shuffle. Received: {model.graph.name!r} without any")
    generator = np.random.default_rng(seed)
    for tensor in weights:
        tensor.CopyFrom(numpy_helper.from_array(_shuffle(numpy_helper.to_array(tensor), generator), tensor.name))
    return shuffled


def _shuffle(values: NDArray[np.floating], generator: np.random.Generator) -> NDArray[np.floating]:
    moved = generator.permutation(values.ravel()).reshape(values.shape)
    is_bias = values.ndim < 2
    return moved if is_bias else moved * generator.choice(np.array([-1, 1], values.dtype), values.shape)


def explain_again(classifier: onnx.ModelProto) -> onnx.ModelProto:
    """Add the maps of the shuffled network, as for the published one: gradients have to follow the new weights."""
    return add_maps(classifier, choose(classifier, LOG_ODDS))


def _learned(graph: onnx.GraphProto) -> Iterator[str]:
    """Name the tensors that layers multiply with or add, seen through the casts behind which float16 is stored."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    for node in graph.node:
        if node.op_type in _LEARNED:
            yield from (_stored(name, casts) for name in _parameters(node))


def _parameters(node: NodeProto) -> list[str]:
    # A matrix product may have its weights on either side.
    return list(node.input) if node.op_type == "MatMul" else list(node.input)[1:]


def _stored(name: str, casts: dict[str, str]) -> str:
    return casts.get(name, name)
