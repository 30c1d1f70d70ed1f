"""What can go wrong when a graph is differentiated."""

from onnx import NodeProto


class DifferentiationError(ValueError):
    """The gradient that was asked for cannot be written as a graph."""


class NoRule(DifferentiationError):
    """An operator on the way to the scalar has no rule, or none for the way it is used."""

    def __init__(self, node: NodeProto, reason: str = "") -> None:
        what = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        super().__init__(
            f"There is no rule for the operator {what}{f' {reason}' if reason else ''}. Received: "
            f"node={node.name or '(no name)'} with outputs={list(node.output)}"
        )
        self.op_type = node.op_type
        self.node_name = node.name


class UnknownShape(DifferentiationError):
    """A rule needs a size that is not known before the graph runs."""


class NotConnected(DifferentiationError):
    """The scalar does not depend on the tensor, or only through integers."""
