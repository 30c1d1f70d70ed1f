"""Findings in common terms, so that methods of any kind can be compared: where the heat is, and what is marked.

All evidence lies on one frame of 224 x 224 points over the whole radiograph. A method takes part by one entry in
`_READERS`; a finding of another type, such as feature maps, says nothing about places and is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.types import (
    Finding,
    GradientFinding,
    MapFinding,
    OcclusionFinding,
    RelativeBox,
    SilhouetteFinding,
    SilhouetteGridFinding,
)

FRAME = 224  # points a side: the data set's own resolution
_NEARLY_STRONGEST = 0.7  # of the largest drop, like the default threshold of the maps


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one method says about places.

    `heat` is ``[h, w]``, finite and not negative, somewhere positive and not the same everywhere; `region` ``[h, w]``
    is what the method marks. `ranking` orders all points by importance; it differs from `heat` where a method shows but
    a part of what it knows.
    """

    method: str
    heat: NDArray[np.float32]
    region: NDArray[np.bool_]
    ranking: NDArray[np.float32]


def gather(findings: Mapping[str, Finding]) -> dict[str, Evidence]:
    """Give the evidence of each method that has some, in the order of the findings."""
    found = {method: evidence_of(method, finding) for method, finding in findings.items()}
    return {method: evidence for method, evidence in found.items() if evidence is not None}


def evidence_of(method: str, finding: Finding) -> Evidence | None:
    """Lay a finding on the common frame; None if it says nothing about places, or the same about all of them."""
    reader = _READERS.get(type(finding))
    read = None if reader is None else reader(finding)
    if read is None:
        return None
    heat, region, ranking = read
    if not region.any() or not np.isfinite(heat).all() or heat.min() == heat.max():
        return None
    return Evidence(method, heat, region, ranking)


def speaks_of_places(finding: Finding) -> bool:
    """Tell whether a finding is of a type that can be evidence, even if this one says nothing."""
    return type(finding) in _READERS


def on_frame(values: NDArray[np.float32], *, cells: bool = False) -> NDArray[np.float32]:
    """Bring a map ``[h, w]`` to the common frame: as smooth as it is, or with `cells` in its own blocks."""
    return resize(values, (FRAME, FRAME), Image.Resampling.NEAREST if cells else Image.Resampling.BILINEAR)


def resize(
    values: NDArray[np.float32], shape: tuple[int, ...], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> NDArray[np.float32]:
    """Resize a map ``[h, w]``; where it shrinks, bilinear resampling averages."""
    if values.shape == shape:
        return values
    rows, columns = shape
    return np.asarray(Image.fromarray(np.ascontiguousarray(values, np.float32)).resize((columns, rows), resampling))


def box_on_frame(box: RelativeBox) -> NDArray[np.bool_]:
    """Mark the points of the common frame whose middles lie in a box."""
    middles = (np.arange(FRAME) + 0.5) / FRAME
    rows = (box.top <= middles) & (middles < box.bottom)
    columns = (box.left <= middles) & (middles < box.right)
    return np.asarray(np.logical_and.outer(rows, columns))


_Read = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]


def _read_box(finding: SilhouetteFinding) -> _Read:
    """Its box, everywhere as hot."""
    region = box_on_frame(finding.region)
    heat = region.astype(np.float32)
    return heat, region, heat


def _read_winner(finding: SilhouetteGridFinding) -> _Read | None:
    """Its brightest region, everywhere as hot; of a grid on the lungs, what is lung in it."""
    if finding.region is None:
        return None
    region = box_on_frame(finding.region)
    if finding.lungs is not None:
        region &= _marked(finding.lungs)
    heat = region.astype(np.float32)
    return heat, region, heat


def _read_dominant_pixels(finding: GradientFinding) -> _Read | None:
    """Its importance where it is shown: below the threshold, the study reads nothing into it."""
    if finding.constant:
        return None
    shown = np.where(finding.shown, finding.importance, np.float32(0))
    return on_frame(shown, cells=True), _marked(finding.shown), on_frame(finding.importance)


def _read_map(finding: MapFinding) -> _Read | None:
    """Its values, and the strongest of them: of a coarse grid, where it is strongest as it is shown, smoothly."""
    if not finding.drawable:
        return None
    heat = on_frame(finding.values)
    if finding.pixelwise:
        return heat, _marked(finding.strongest), heat
    return heat, heat >= np.float32(finding.threshold) * heat.max(), heat


def _read_drops(finding: OcclusionFinding) -> _Read:
    """Its drops, each all over its region; those that nearly reach the largest are marked."""
    heat, region = np.zeros((FRAME, FRAME), np.float32), np.zeros((FRAME, FRAME), np.bool_)
    if finding.strongest is None:
        return heat, region, heat
    for drop in finding.drawn:
        place = box_on_frame(drop.region)
        heat[place] = max(0.0, drop.drop)
        region |= place & (drop.drop >= _NEARLY_STRONGEST * finding.strongest.drop)
    return heat, region, heat


def _marked(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return on_frame(cells.astype(np.float32), cells=True) > 0


_READERS: Mapping[type, Callable[[Any], _Read | None]] = {
    SilhouetteFinding: _read_box,
    SilhouetteGridFinding: _read_winner,
    GradientFinding: _read_dominant_pixels,
    MapFinding: _read_map,
    OcclusionFinding: _read_drops,
}
