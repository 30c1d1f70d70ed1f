"""On which side and in which zone of the lungs something lies.

Sides are the viewer's, divided at the middle of the lungs' box; zones are thirds of its height. The lungs, not the
frame, are divided: a child that lies off the middle of the film would otherwise have its heart in one side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from api.explain.evidence import Evidence, on_frame
from api.explain.regions import enclose
from api.types import NoLungs, Side, Zone

SIDES: tuple[Side, ...] = ("image_left", "image_right")
ZONES: tuple[Zone, ...] = ("upper", "middle", "lower")
DECISIVE = 0.6  # share from which a method points to one side or zone: half as much again as all others together
SMALLEST_LUNGS = 0.01  # of the frame: less is no lung but a few stray points
_LUNG = 0.5  # of the segmenter's probability
Part = TypeVar("Part", Side, Zone)


@dataclass(frozen=True, slots=True)
class Lungs:
    """The lungs on the common frame, ``[h, w]``, with the parts that they are divided into, ``[h, w]`` each."""

    mask: NDArray[np.bool_]
    sides: Mapping[Side, NDArray[np.bool_]]
    zones: Mapping[Zone, NDArray[np.bool_]]


def find_lungs(mask: NDArray[np.float32] | None) -> Lungs | NoLungs:
    """Divide the lungs of the segmenter's mask ``[H, W]``, 0 to 1.

    Without a mask they are unknown; where less than 1 % of the frame is lung, none were found.
    """
    if mask is None:
        return "lungs unknown"
    lungs = on_frame(mask) >= _LUNG
    return (divide(lungs) if lungs.mean() >= SMALLEST_LUNGS else None) or "no lungs found"


def divide(lungs: NDArray[np.bool_]) -> Lungs | None:
    """Divide lungs ``[h, w]`` into sides and zones; None if nothing is marked."""
    box = enclose(lungs)
    if box is None:
        return None
    height, width = lungs.shape
    columns = _places_of((np.arange(width) + 0.5) / width, box.left, box.right, len(SIDES))
    rows = _places_of((np.arange(height) + 0.5) / height, box.top, box.bottom, len(ZONES))
    return Lungs(
        mask=lungs,
        sides={side: lungs & (columns == place) for place, side in enumerate(SIDES)},
        zones={zone: lungs & (rows[:, np.newaxis] == place) for place, zone in enumerate(ZONES)},
    )


def lung_energy(evidence: Evidence, lungs: Lungs) -> float:
    """Give the share of a method's heat that lies in the lungs, 0 to 1."""
    return share_inside(evidence.heat, lungs.mask)


def share_inside(heat: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Give the share of a map's values, not negative and not all 0, that lies in a mask; both ``[h, w]``."""
    return float(heat[mask].sum(dtype=np.float64) / heat.sum(dtype=np.float64))


def misses(energy: float, lungs: Lungs) -> bool:
    """Tell whether a method points past the lungs: to them less than a map would that is the same everywhere.

    That map's energy in the lungs is their share of the frame, about a third. A fixed limit would depend on how much of
    the film the child fills; and at one half, every box and nearly every gradient is below it.
    """
    return energy < float(lungs.mask.mean())


def _places_of(middles: NDArray[np.float64], start: float, end: float, count: int) -> NDArray[np.intp]:
    return np.clip(((middles - start) / (end - start) * count).astype(np.intp), 0, count - 1)


def shares(heat: NDArray[np.float32], parts: Mapping[Part, NDArray[np.bool_]]) -> Mapping[Part, float]:
    """Give each part's share of the heat ``[h, w]`` in all parts; empty if there is none in them."""
    sums = {part: float(heat[where].sum(dtype=np.float64)) for part, where in parts.items()}
    total = sum(sums.values())
    return {part: amount / total for part, amount in sums.items()} if total > 0 else {}


def decisive(heat: NDArray[np.float32], parts: Mapping[Part, NDArray[np.bool_]]) -> Part | None:
    """Give the part that holds at least 60 % of the heat in all parts, if one does."""
    found = shares(heat, parts)
    return next((part for part, share in found.items() if share >= DECISIVE), None)
