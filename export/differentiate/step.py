"""One step of the reverse sweep, as a rule sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from onnx import NodeProto, helper

from export.differentiate.errors import NoRule
from export.differentiate.graph import Graph


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the original graph, the gradients of its outputs, and which inputs want theirs.

    A gradient is the name of a tensor with the shape of the tensor that it belongs to, or None if the scalar does not
    depend on that output.
    """

    graph: Graph
    node: NodeProto
    gradients: tuple[str | None, ...]
    wanted: tuple[bool, ...]

    @property
    def gradient(self) -> str:
        """Gradient of the first output, which most operators have alone."""
        if self.gradients[0] is None or any(self.gradients[1:]):
            raise NoRule(self.node, "whose further outputs are used")
        return self.gradients[0]

    @property
    def inputs(self) -> Sequence[str]:
        """Names of the inputs; an optional one that is left out is empty."""
        return self.node.input

    @property
    def output(self) -> str:
        """Name of the first output."""
        return self.node.output[0]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Read an attribute of the node."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has_input(self, place: int) -> bool:
        """Tell whether an optional input is given."""
        return place < len(self.inputs) and bool(self.inputs[place])

    def wants(self, place: int) -> bool:
        """Tell whether an input wants its gradient."""
        return place < len(self.wanted) and self.wanted[place]

    def want_only(self, *places: int) -> None:
        """Refuse to go on if the scalar depends on the tensor through another input than these.

        Raises
        ------
        NoRule
            It does, for example through the kernel of a convolution.
        """
        others = [place for place, wanted in enumerate(self.wanted) if wanted and place not in places]
        if others:
            raise NoRule(self.node, f"with respect to its input {others[0]}")


Gradients: TypeAlias = Sequence[str | None]
Rule: TypeAlias = Callable[[Step], Gradients]
