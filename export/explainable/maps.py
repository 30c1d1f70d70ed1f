"""Grad-CAM, Grad-CAM++ and saliency as outputs of a classifier's graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from export.differentiate import DifferentiationError, Graph, Scalar, Shape, open_graph, sweep
from export.explainable.features import add_features

GRAD_CAM, GRAD_CAM_PLUS_PLUS, SALIENCY = "grad_cam", "grad_cam_plus_plus", "saliency"


@dataclass(frozen=True, slots=True)
class Explained:
    """What is explained, and where in the graph.

    `scalar` is the log-odds, `layer` the activation ``[n, c, h, w]`` behind the last convolution, `source` the image as
    floating-point numbers; `features` are activations whose strongest channels are shown, from early to late.
    """

    scalar: Scalar
    layer: str
    source: str
    features: tuple[str, ...] = ()


def add_maps(model: onnx.ModelProto, explained: Explained, maps: Sequence[str] = ()) -> onnx.ModelProto:
    """Write a model that answers maps besides its own outputs.

    Parameters
    ----------
    model
        The classifier.
    explained
        Where to begin and where to look.
    maps
        Names of the outputs to add, all by default. `grad_cam` and `grad_cam_plus_plus` are ``[n, h, w]`` and not
        negative. `saliency` is the signed derivative of the scalar by each value of the source, in its shape; a
        channel axis of size 1 is left out. The features come behind the maps.

    Raises
    ------
    DifferentiationError
        The graph cannot be differentiated.
    ValueError
        A map is not known.
    """
    wanted = list(dict.fromkeys(maps)) or list(_MAPS)
    if unknown := set(wanted) - set(_MAPS):
        raise ValueError(f"Maps must be among {list(_MAPS)}. Received: {sorted(unknown)}")
    graph = open_graph(model)
    places = list(dict.fromkeys(_MAPS[name].place(explained) for name in wanted))
    gradients = sweep(graph, explained.scalar, places)
    for name in wanted:
        place = _MAPS[name].place(explained)
        drawn, shape = _MAPS[name].draw(graph, place, gradients[place])
        graph.add_output(drawn, name, place, shape)
    add_features(graph, explained.features)
    _check(graph.model)
    return graph.model


def _check(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise DifferentiationError(
            f"The model with its maps is not valid, as may be the one it is of: {error}"
        ) from error


def _grad_cam(graph: Graph, layer: str, gradient: str) -> tuple[str, Shape]:
    """Weigh the channels with the mean of their gradients (Selvaraju et al. 2017)."""
    return _weighted_sum(graph, layer, graph.op("GlobalAveragePool", gradient))


def _grad_cam_plus_plus(graph: Graph, layer: str, gradient: str) -> tuple[str, Shape]:
    """Weigh the channels by Grad-CAM++ (Chattopadhay et al. 2018), in its closed form for the exponential of z.

    With g the gradient where it is positive, else 0, and S the sum of a channel's activation, a channel's weight is the
    sum of ``g / (2 + S g)``. The factor exp(z), common to all weights of an image, is left out: it would make maps
    of different images incomparable. The derivation assumes activations that are not negative; a negative sum counts
    as 0.
    """
    positive = graph.op("Relu", gradient)
    spatial = graph.integers([2, 3])
    total = graph.op("Relu", graph.op("ReduceSum", layer, spatial, keepdims=1))
    denominator = graph.op("Add", graph.op("Mul", total, positive), graph.like(2.0, layer))
    weights = graph.op("ReduceSum", graph.op("Div", positive, denominator), spatial, keepdims=1)
    return _weighted_sum(graph, layer, weights)


def _weighted_sum(graph: Graph, layer: str, weights: str) -> tuple[str, Shape]:
    batch, _channels, *sizes = graph.shape(layer)
    total = graph.op("ReduceSum", graph.op("Mul", layer, weights), graph.integers([1]), keepdims=0)
    return graph.op("Relu", total), (batch, *sizes)


def _saliency(graph: Graph, source: str, gradient: str) -> tuple[str, Shape]:
    """Take the gradient as it is (Simonyan et al. 2014), with its sign."""
    shape = graph.shape(source)
    channel = next((axis for axis in (len(shape) - 1, 1) if len(shape) == 4 and shape[axis] == 1), None)
    if channel is None:
        return gradient, shape
    return graph.op("Squeeze", gradient, graph.integers([channel])), (*shape[:channel], *shape[channel + 1 :])


@dataclass(frozen=True, slots=True)
class _Map:
    place: Callable[[Explained], str]
    draw: Callable[[Graph, str, str], tuple[str, Shape]]


_MAPS: Mapping[str, _Map] = {
    GRAD_CAM: _Map(lambda explained: explained.layer, _grad_cam),
    GRAD_CAM_PLUS_PLUS: _Map(lambda explained: explained.layer, _grad_cam_plus_plus),
    SALIENCY: _Map(lambda explained: explained.source, _saliency),
}
MAPS = tuple(_MAPS)
