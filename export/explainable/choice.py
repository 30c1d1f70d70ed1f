"""Finds in a classifier's graph what to explain, where it is not told."""

from collections.abc import Sequence

import onnx
from onnx import NodeProto

from export.differentiate import Graph, Scalar, UnknownShape, open_graph
from export.explainable.maps import Explained

_PROBABILITIES = ("Softmax", "Sigmoid")
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "HardSwish", "Softplus", "Tanh", "Gelu")


def choose(
    model: onnx.ModelProto,
    logit: str | None = None,
    layer: str | None = None,
    source: str | None = None,
    features: Sequence[str] | None = None,
) -> Explained:
    """Settle what is explained.

    Parameters
    ----------
    model
        The classifier.
    logit
        ``TENSOR``, ``TENSOR:INDEX`` or ``TENSOR:INDEX-OTHER``: an entry of a tensor ``[n, k]``, less another one. By
        default that of the only class, or of the second class less the first, in the output of the model or in what its
        Softmax or Sigmoid reads.
    layer
        The activation whose channels Grad-CAM weighs; by default the last tensor of the shape that the last
        convolution with a map larger than one pixel gives: behind its normalisation, activation and addition.
    source
        The image as floating-point numbers; by default the input, or the output of the Cast behind it.
    features
        Layers whose strongest channels are shown; by default the first, the middle and the last activation.

    Raises
    ------
    ValueError
        The model leaves a choice that must be made by the caller.
    """
    graph = open_graph(model)
    return Explained(
        scalar=_scalar(graph, logit or _find_logits(graph)),
        layer=layer or _find_layer(graph),
        source=source or _find_source(graph),
        features=tuple(_find_features(graph) if features is None else features),
    )


def _scalar(graph: Graph, logit: str) -> Scalar:
    tensor, _, entry = _split_entry(graph, logit)
    _refuse_probabilities(graph, tensor)
    if entry:
        index, _, other = entry.partition("-")
        weights = {int(index): 1.0}
        return Scalar(tensor, weights | {int(other): -1.0} if other else weights)
    classes = graph.size(tensor, len(graph.shape(tensor)) - 1) if len(graph.shape(tensor)) > 1 else 1
    if classes > 2:
        raise ValueError(f"One of {classes} classes must be chosen: {tensor}:INDEX. Received: {logit!r}")
    return Scalar(tensor, {0: 1.0} if classes == 1 else {1: 1.0, 0: -1.0})


def _split_entry(graph: Graph, logit: str) -> tuple[str, str, str]:
    """Separate the entry from the tensor, whose name may hold colons itself."""
    if logit in graph:
        return logit, "", ""
    tensor, colon, entry = logit.rpartition(":")
    if tensor not in graph or not entry.replace("-", "", 1).isdigit():
        raise ValueError(f"The logit must be TENSOR, TENSOR:INDEX or TENSOR:INDEX-OTHER. Received: {logit!r}")
    return tensor, colon, entry


def _refuse_probabilities(graph: Graph, tensor: str) -> None:
    node = graph.producer(tensor)
    if node is not None and node.op_type in _PROBABILITIES:
        raise ValueError(
            f"Probabilities saturate and have gradients near 0: explain {node.input[0]!r} instead. Received: {tensor!r}"
        )


def _find_logits(graph: Graph) -> str:
    outputs = [output.name for output in graph.model.graph.output]
    if len(outputs) != 1:
        raise ValueError(f"The logit must be named, as the model has several outputs. Received: {outputs}")
    node = graph.producer(outputs[0])
    return node.input[0] if node is not None and node.op_type in _PROBABILITIES else outputs[0]


def _find_layer(graph: Graph) -> str:
    convolutions = [node for node in graph.nodes if node.op_type == "Conv" and _is_map(graph, node.output[0])]
    if not convolutions:
        raise ValueError("The layer must be named, as no convolution gives a map of known size.")
    shape = graph.shape(convolutions[-1].output[0])[1:]
    return _last_of_shape(graph, graph.nodes, shape)


def _last_of_shape(graph: Graph, nodes: Sequence[NodeProto], shape: tuple[int | str, ...]) -> str:
    outputs = [name for node in nodes for name in node.output if name and graph.is_float(name)]
    return [name for name in outputs if _known_shape(graph, name)[1:] == shape][-1]


def _is_map(graph: Graph, tensor: str) -> bool:
    shape = _known_shape(graph, tensor)
    return len(shape) == 4 and all(isinstance(size, int) for size in shape[1:]) and shape[2:] != (1, 1)


def _known_shape(graph: Graph, tensor: str) -> tuple[int | str, ...]:
    try:
        return graph.shape(tensor)
    except UnknownShape:
        return ()


def _find_features(graph: Graph) -> list[str]:
    activations = [
        node.output[0] for node in graph.nodes if node.op_type in _ACTIVATIONS and _is_map(graph, node.output[0])
    ]
    places = (0, len(activations) // 2, len(activations) - 1)
    return list(dict.fromkeys(activations[place] for place in places if activations))


def _find_source(graph: Graph) -> str:
    weights = {tensor.name for tensor in graph.model.graph.initializer}
    inputs = [value.name for value in graph.model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ValueError(f"The source must be named, as the model has several inputs. Received: {inputs}")
    if graph.is_float(inputs[0]):
        return inputs[0]
    readers = [node for node in graph.nodes if inputs[0] in node.input]
    if [node.op_type for node in readers] != ["Cast"]:
        raise ValueError("The source must be named, as the input of integers is not read by one Cast alone.")
    return readers[0].output[0]
