"""Bringing gradients to the shape of the tensor that they belong to."""

from export.differentiate.graph import Graph, Shape


def reshape_like(graph: Graph, gradient: str, tensor: str) -> str:
    """Lay the values of a gradient out in the shape of a tensor of the original graph."""
    shape = graph.shape(tensor)
    unknown = [size for size in shape if isinstance(size, str)]
    if len(unknown) > 1:
        return graph.op("Reshape", gradient, graph.op("Shape", tensor))
    return graph.op("Reshape", gradient, graph.integers([-1 if isinstance(size, str) else size for size in shape]))


def expand_like(graph: Graph, gradient: str, tensor: str) -> str:
    """Repeat a gradient, whose sizes are those of a tensor or 1, to the shape of the tensor."""
    return graph.op("Expand", gradient, graph.op("Shape", tensor))


def undo_broadcast(graph: Graph, gradient: str, shape: Shape, tensor: str) -> str:
    """Sum a gradient of this shape over the axes along which a tensor was repeated.

    A size that is known only when the graph runs is taken not to have been 1 and repeated.
    """
    original = graph.shape(tensor)
    added = len(shape) - len(original)
    repeated = [axis + added for axis, size in enumerate(original) if size == 1 and shape[axis + added] != 1]
    axes = [*range(added), *repeated]
    if not axes:
        return gradient
    summed = graph.op("ReduceSum", gradient, graph.integers(axes), keepdims=1)
    return graph.op("Squeeze", summed, graph.integers(list(range(added)))) if added else summed


def normal_axis(axis: int, rank: int) -> int:
    """Count an axis from the front."""
    return axis + rank if axis < 0 else axis
