"""One region of the lungs from the methods that agree.

The vote: each method's region is smoothed to one common coarseness, so that scattered pixels and solid boxes can be
compared; its coarse region is where at least half of its highest density is reached. A point of the lungs belongs to
the affected region where more than half of the voters' coarse regions cover it: both of two, two of three. There
have to be two voters at least; `api.explain.trust` says who votes. The region is the largest connected part of all
that, if it takes up at least 1 % of the lungs: two regions that merely touch do not agree.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from api.explain.evidence import Evidence
from api.explain.outline import fill, largest_outline
from api.explain.regions import enclose
from api.explain.whereabouts import Lungs, Part, shares
from api.types import AffectedRegion, NoLungs, NoRegionReason

COARSENESS = 1 / 28  # standard deviation of the Gaussian, of a side: a quarter of a cell of a 7 x 7 Grad-CAM
FEWEST_VOTERS = 2
SMALLEST_SHARE = 0.01  # of the lungs
_REACH = 4  # standard deviations: beyond, a Gaussian is smaller than the rounding of the masks
_NOTABLE = 0.2  # share of the region from which a side or zone is named
_POINTS_THERE = 0.5  # share of the region that a method's own has to cover


def find_affected_region(voters: Sequence[Evidence], lungs: Lungs | NoLungs) -> AffectedRegion | NoRegionReason:
    """Let methods vote; the reason if there is no region.

    Returns
    -------
    The region, or why there is none: the lungs are unknown or were not found, there are fewer than two voters, too
    few of them mark anything in the lungs, or those that do mark different places.
    """
    if not isinstance(lungs, Lungs):
        return lungs
    if len(voters) < FEWEST_VOTERS:
        return "too few methods"
    coarse = {voter.method: coarsen(voter.region) & lungs.mask for voter in voters}
    marking = [region for region in coarse.values() if _share(region, lungs) >= SMALLEST_SHARE]
    if len(marking) * 2 <= len(coarse):
        return "no evidence"
    votes = np.sum(list(coarse.values()), axis=0)
    outline = largest_outline(votes * 2 > len(coarse))
    if outline is None:
        return "methods disagree"
    return _describe(outline, coarse, lungs)


def coarsen(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark where a region ``[h, w]``, smoothed, reaches at least half of its highest density."""
    density = smooth(region.astype(np.float32))
    return np.asarray(density >= density.max() / 2)


def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth a map ``[h, w]`` by a Gaussian of 1/28 of each side; beyond the frame, nothing is assumed."""
    return _smooth_rows(_smooth_rows(values).T).T


def _smooth_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth along the first axis.

    Sums of shifted copies, and no product of matrices: that would start threads of its own inside a worker thread, and
    take thirty times as long where the cores are busy.
    """
    size = len(values)
    summed, weights = np.zeros_like(values), np.zeros(size, np.float32)
    reach = min(size - 1, round(_REACH * COARSENESS * size))
    for shift in range(-reach, reach + 1):
        weight = np.float32(np.exp(-((shift / size / COARSENESS) ** 2) / 2))
        read, write = slice(max(0, shift), size + min(0, shift)), slice(max(0, -shift), size + min(0, -shift))
        summed[write] += weight * values[read]
        weights[write] += weight
    return np.asarray(summed / weights[:, np.newaxis], np.float32)


def _describe(
    outline: NDArray[np.float64], coarse: Mapping[str, NDArray[np.bool_]], lungs: Lungs
) -> AffectedRegion | NoRegionReason:
    height, width = lungs.mask.shape
    inside = fill(outline, (height, width)) & lungs.mask
    box = enclose(inside)
    share = _share(inside, lungs)
    if box is None or share < SMALLEST_SHARE:
        return "methods disagree"
    return AffectedRegion(
        outline=tuple((float(x / width), float(y / height)) for x, y in outline),
        region=box,
        share_of_lungs=share,
        sides=_notable(inside, lungs.sides),
        zones=_notable(inside, lungs.zones),
        methods=tuple(method for method, region in coarse.items() if region[inside].mean() >= _POINTS_THERE),
    )


def _share(region: NDArray[np.bool_], lungs: Lungs) -> float:
    return float(region.sum() / lungs.mask.sum())


def _notable(inside: NDArray[np.bool_], parts: Mapping[Part, NDArray[np.bool_]]) -> tuple[Part, ...]:
    found = shares(inside.astype(np.float32), parts)
    return tuple(part for part, share in found.items() if share >= _NOTABLE)
