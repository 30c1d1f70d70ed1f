"""Occlusion: what the classifier loses when a region of the radiograph is hidden from it.

The study's "train then mask", with the halves and quadrants of the study, or a grid; before it, Zeiler and Fergus 2014,
"Visualizing and understanding convolutional networks", section 4.2. What is compared are the calibrated log-odds, not
probabilities: near 1, a probability hardly moves while half of the evidence goes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api.explain.grid import Region, regions_of
from api.explain.hiding import hide_each
from api.types import (
    Answer,
    Explainer,
    ExplainOptions,
    Fill,
    MapScale,
    OcclusionFinding,
    Question,
    RegionDrop,
    RelativeBox,
    Subject,
)
from serving.backend import BackendProtocolError

_MODEL, _OUTPUT = "classifier", "logits"
HALVES = (
    Region("image_left", RelativeBox(0.0, 0.0, 0.5, 1.0)),
    Region("image_right", RelativeBox(0.5, 0.0, 1.0, 1.0)),
)
QUADRANTS = regions_of(4)
# The same end for every division and radiograph. Of children with pneumonia that the classifier had not seen, the
# strongest half takes away 4.2 (median; one in ten more than 5.9), the strongest quadrant 3.6 (5.0), the strongest
# of 24 cells 1.9 (2.9). `benchmarks/occlusion_drops.py` measures it.
SCALE = MapScale(6.0, "log-odds")
# Below it a drop counts as none: the odds change by less than a hundredth, and rounding in the model may do as much.
SMALLEST_DROP = 0.01

_Regions = Sequence[Region]
_Drops = tuple[RegionDrop, ...]


def explain_occlusion(subject: Subject, options: ExplainOptions) -> Explainer:
    """Ask the classifier about the radiograph as a whole and with each region hidden, in one batch."""
    divisions = (HALVES, QUADRANTS) if options.regions is None else (regions_of(options.regions),)
    hidden = [region.box for regions in divisions for region in regions]
    # Copies are made of what the classifier sees, so that nothing is shrunk again and edges stay where they are.
    images = (subject.seen, *hide_each(subject.seen, hidden, options.fill))
    answer = yield Question(_MODEL, images, (_OUTPUT,))
    return measure_drops(_log_odds(answer), divisions, options.fill)


def measure_drops(log_odds: NDArray[np.floating], divisions: Sequence[_Regions], fill: Fill) -> OcclusionFinding:
    """Compare the log-odds of the copies with those of the whole.

    Parameters
    ----------
    log_odds
        Of the whole, then of each copy in the order of the regions, shape ``[1 + regions]``.
    divisions
        One or more divisions of the frame, each into regions of one size; the finest last.
    fill
        What hid the regions.

    Returns
    -------
    The finding. The finest division in which a drop is large enough to count is drawn. Halves and quadrants are named
    where they themselves were hidden: drops of smaller regions do not add up to that of a larger one. Of equal drops,
    the first region wins.
    """
    drops = log_odds[0] - log_odds[1:]
    ends = np.cumsum([len(regions) for regions in divisions])
    ranked = [_rank(regions, part) for regions, part in zip(divisions, np.split(drops, ends[:-1]), strict=True)]
    drawn = next((each for each in reversed(ranked) if _strongest(each)), ranked[-1])
    return OcclusionFinding(
        baseline=float(log_odds[0]),
        fill=fill,
        scale=SCALE,
        regions=tuple(drop for each in ranked for drop in each),
        drawn=drawn,
        strongest=_strongest(drawn),
        half=_winner_of(HALVES, divisions, ranked),
        quadrant=_winner_of(QUADRANTS, divisions, ranked),
    )


def _rank(regions: _Regions, drops: NDArray[np.floating]) -> _Drops:
    order = np.argsort(-drops, kind="stable")
    ranks = np.empty(len(drops), np.int64)
    ranks[order] = np.arange(1, len(drops) + 1)
    return tuple(
        RegionDrop(region.name, region.box, float(drop), int(rank))
        for region, drop, rank in zip(regions, drops, ranks, strict=True)
    )


def _strongest(drops: _Drops) -> RegionDrop | None:
    return next((drop for drop in drops if drop.rank == 1 and drop.drop >= SMALLEST_DROP), None)


def _winner_of(wanted: _Regions, divisions: Sequence[_Regions], ranked: Sequence[_Drops]) -> str | None:
    winners = [_strongest(drops) for regions, drops in zip(divisions, ranked, strict=True) if regions == wanted]
    return winners[0].name if winners and winners[0] else None


def _log_odds(answer: Answer) -> NDArray[np.floating]:
    logits = answer[_OUTPUT]
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise BackendProtocolError(f"`{_OUTPUT}` of {_MODEL!r} must be of shape [n, 2]. Received: {logits.shape}")
    return np.asarray(logits[:, 1] - logits[:, 0])
