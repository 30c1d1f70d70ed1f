"""Finds in a classifier's graph what to explain, where it is not told."""

import re
from collections.abc import Sequence
from math import prod

import onnx

from export.differentiate import Graph, Scalar, UnknownShape, open_graph
from export.explainable.maps import Explained

_PROBABILITIES = ("Softmax", "Sigmoid")
_WRAPPERS = ("Cast", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
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
        default that of the only class, or of the second of two less the first, in the output of the model or in what
        its Softmax or Sigmoid reads; behind a Sigmoid, several classes are independent, and one must be named.
    layer
        The activation whose channels Grad-CAM weighs; by default the last tensor on the way to the logit with maps as
        large as those of the last convolution, of more than one pixel: behind its normalisation, activation,
        addition and concatenation.
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
    scalar = _scalar(graph, logit or _find_logits(graph))
    explained = Explained(
        scalar=scalar,
        layer=layer or _find_layer(graph, scalar.tensor),
        source=source or _find_source(graph),
        features=tuple(_find_features(graph) if features is None else features),
    )
    for name in (explained.layer, *explained.features):
        _require_map(graph, name)
    return explained


def _require_map(graph: Graph, tensor: str) -> None:
    if not (graph.is_float(tensor) and _is_map(graph, tensor)):
        raise ValueError(
            "A layer must be a floating-point tensor [n, c, h, w] of fixed size: fix height and width of the input, or "
            f"name another layer. Received: {tensor!r} of shape {_known_shape(graph, tensor)}"
        )


def _scalar(graph: Graph, logit: str) -> Scalar:
    tensor, index, other = _split_entry(graph, logit)
    _refuse_probabilities(graph, tensor)
    if index is not None:
        return Scalar(tensor, {index: 1.0} if other is None else {index: 1.0, other: -1.0})
    classes = prod(graph.size(tensor, axis) for axis in range(1, len(graph.shape(tensor))))
    if classes > 2 or (classes == 2 and _is_read_by(graph, tensor, "Sigmoid")):
        raise ValueError(f"One of {classes} classes must be chosen: {tensor}:INDEX. Received: {logit!r}")
    return Scalar(tensor, {0: 1.0} if classes == 1 else {1: 1.0, 0: -1.0})


def _split_entry(graph: Graph, logit: str) -> tuple[str, int | None, int | None]:
    """Separate the entries from the tensor, whose name may hold colons itself."""
    if logit in graph:
        return logit, None, None
    tensor, _, entry = logit.rpartition(":")
    numbers = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", entry)
    if tensor not in graph or numbers is None or numbers[1] == numbers[2]:
        raise ValueError(f"The logit must be TENSOR, TENSOR:INDEX or TENSOR:INDEX-OTHER. Received: {logit!r}")
    return tensor, int(numbers[1]), int(numbers[2]) if numbers[2] else None


def _refuse_probabilities(graph: Graph, tensor: str) -> None:
    node = graph.producer(_unwrapped(graph, tensor))
    if node is not None and node.op_type in _PROBABILITIES:
        raise ValueError(
            f"Probabilities saturate and have gradients near 0: explain {node.input[0]!r} instead. Received: {tensor!r}"
        )


def _unwrapped(graph: Graph, tensor: str) -> str:
    """Go back over nodes that leave numbers as they are."""
    node = graph.producer(tensor)
    while node is not None and node.op_type in _WRAPPERS and graph.is_float(node.input[0]):
        tensor = node.input[0]
        node = graph.producer(tensor)
    return tensor


def _find_logits(graph: Graph) -> str:
    outputs = [output.name for output in graph.model.graph.output]
    if len(outputs) != 1:
        raise ValueError(f"The logit must be named, as the model has several outputs. Received: {outputs}")
    node = graph.producer(_unwrapped(graph, outputs[0]))
    return node.input[0] if node is not None and node.op_type in _PROBABILITIES else outputs[0]


def _find_layer(graph: Graph, target: str) -> str:
    way = _leading_to(graph, target)
    maps = [name for node in graph.nodes for name in node.output if name in way and _is_map(graph, name)]
    convolved = [name for name in maps if _is_convolved(graph, name)]
    if not convolved:
        raise ValueError("The layer must be named, as no convolution gives a map of known size.")
    sizes = graph.shape(convolved[-1])[2:]
    return [name for name in maps if graph.is_float(name) and graph.shape(name)[2:] == sizes][-1]


def _is_convolved(graph: Graph, tensor: str) -> bool:
    node = graph.producer(tensor)
    return node is not None and node.op_type == "Conv"


def _is_read_by(graph: Graph, tensor: str, op_type: str) -> bool:
    return any(node.op_type == op_type and tensor in node.input for node in graph.nodes)


def _leading_to(graph: Graph, target: str) -> set[str]:
    """Collect the tensors on which a tensor depends, itself included."""
    way = {target}
    for node in reversed(graph.nodes):
        if way.intersection(node.output):
            way.update(node.input)
    return way


def _is_map(graph: Graph, tensor: str) -> bool:
    shape = _known_shape(graph, tensor)
    return len(shape) == 4 and all(isinstance(size, int) for size in shape[1:]) and shape[2:] != (1, 1)


def _known_shape(graph: Graph, tensor: str) -> tuple[int | str, ...]:
    try:
        return graph.shape(tensor)
    except UnknownShape:
        return ()


def _find_features(graph: Graph) -> list[str]:
    outputs = [(node.op_type, node.output[0]) for node in graph.nodes if _is_map(graph, node.output[0])]
    sizes = {graph.shape(name)[2:] for op_type, name in outputs if op_type == "Conv"}
    activations = [name for op_type, name in outputs if op_type in _ACTIVATIONS and graph.shape(name)[2:] in sizes]
    places = (0, len(activations) // 2, len(activations) - 1)
    return list(dict.fromkeys(activations[place] for place in places if activations))


def _find_source(graph: Graph) -> str:
    weights = {tensor.name for tensor in graph.model.graph.initializer}
    inputs = [value.name for value in graph.model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ValueError(f"The source must be named, as the model has several inputs. Received: {inputs}")
    if graph.is_float(inputs[0]):
        return inputs[0]
    readers = [node for node in graph.nodes if inputs[0] in node.input and node.op_type != "Shape"]
    if [node.op_type for node in readers] != ["Cast"]:
        raise ValueError("The source must be named, as the input of integers is not read by one Cast alone.")
    return readers[0].output[0]
