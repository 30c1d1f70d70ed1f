"""Reverse-mode differentiation from ONNX graph to ONNX graph.

`add_gradients` takes an inference model and returns the same model with gradients as further outputs, in standard
operators. Who wants to compute with the gradients in the graph itself builds on `Graph` and `sweep`. The package needs
onnx and numpy, and nothing of the project around it.
"""

from export.differentiate.errors import DifferentiationError, NoRule, NotConnected, UnknownShape
from export.differentiate.graph import Graph, Shape
from export.differentiate.reverse import Scalar, add_gradients, open_graph, sweep

__all__ = [
    "DifferentiationError",
    "Graph",
    "NoRule",
    "NotConnected",
    "Scalar",
    "Shape",
    "UnknownShape",
    "add_gradients",
    "open_graph",
    "sweep",
]
