"""The strongest feature maps of chosen layers as outputs of a classifier's graph."""

from collections.abc import Sequence

from onnx import TensorProto

from export.differentiate import Graph

STRONGEST = 16


def feature_outputs(number: int) -> tuple[str, str]:
    """Name the outputs of the layer of this number, counted from 1: the maps, and the channels they come from."""
    return f"features_{number}", f"features_{number}_channels"


def add_features(graph: Graph, layers: Sequence[str]) -> None:
    """Add for each layer its `STRONGEST` channels, fewer if it has not as many.

    A channel is the stronger, the larger the mean of its absolute values in this image. The maps ``[n, k, h, w]`` come
    strongest first; the channels ``[n, k]`` are counted from 0.

    Parameters
    ----------
    graph
        Of the classifier.
    layers
        Tensors ``[n, c, h, w]``.
    """
    for number, layer in enumerate(layers, start=1):
        batch = graph.shape(layer)[0]
        sizes = [graph.size(layer, axis) for axis in (2, 3)]
        count = min(STRONGEST, graph.size(layer, 1))
        maps, places = feature_outputs(number)
        strength = graph.op("ReduceSum", graph.op("Abs", layer), graph.integers([2, 3]), keepdims=0)
        _, strongest = graph.ops("TopK", 2, strength, graph.integers([count]), axis=1)
        everywhere = graph.op("Unsqueeze", strongest, graph.integers([2, 3]))
        everywhere = graph.op("Expand", everywhere, graph.integers([1, 1, *sizes]))
        picked = graph.op("GatherElements", layer, everywhere, axis=1)
        graph.add_output(picked, maps, layer, (batch, count, *sizes))
        graph.add_output(strongest, places, layer, (batch, count), TensorProto.INT64)
