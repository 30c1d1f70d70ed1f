"""Boxes, in pixels and as shares of the frame."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A box in pixels, x to the right, y down. It covers columns ``x`` to ``x + width - 1``, rows likewise."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RelativeBox:
    """A box as shares of the frame, 0 to 1: independent of the resolution at which it was found."""

    left: float
    top: float
    right: float
    bottom: float
