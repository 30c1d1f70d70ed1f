"""How far methods agree: the overlap of what they mark, and whether they point to different parts of the lungs."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from api.explain.evidence import Evidence
from api.explain.whereabouts import Lungs, decisive, lung_energy, misses
from api.types import Agreement, Disputed, NoLungs, Pair


def agree(evidence: Mapping[str, Evidence], lungs: Lungs | NoLungs) -> Agreement | None:
    """Compare every two methods; None if there are fewer than two.

    Two methods contradict each other in the side if each has at least 60 % of its heat in the lungs on one side, and
    not on the same; likewise in the zone. Without lungs, no contradiction can be seen, and a method that misses them
    contradicts nobody: what little of it lies in them is no opinion.
    """
    pairs = tuple(_compare(one, other, lungs) for one, other in combinations(evidence.values(), 2))
    if not pairs:
        return None
    return Agreement(score=sum(pair.overlap for pair in pairs) / len(pairs), pairs=pairs)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Give the share of the smaller region that lies in the larger one (Szymkiewicz-Simpson coefficient), 0 to 1.

    A few pixels inside a large box agree with it entirely. Neither region ``[h, w]`` may be empty.
    """
    return float((one & other).sum() / min(one.sum(), other.sum()))


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Give the share of both regions together that lies in both (Jaccard index), 0 to 1, which a mere part lowers."""
    return float((one & other).sum() / (one | other).sum())


def _compare(one: Evidence, other: Evidence, lungs: Lungs | NoLungs) -> Pair:
    return Pair(
        methods=(one.method, other.method),
        overlap=overlap(one.region, other.region),
        jaccard=jaccard(one.region, other.region),
        disputed=_disputed(one, other, lungs) if isinstance(lungs, Lungs) else (),
    )


def _disputed(one: Evidence, other: Evidence, lungs: Lungs) -> tuple[Disputed, ...]:
    if any(misses(lung_energy(evidence, lungs), lungs) for evidence in (one, other)):
        return ()
    sides = {decisive(evidence.heat, lungs.sides) for evidence in (one, other)} - {None}
    zones = {decisive(evidence.heat, lungs.zones) for evidence in (one, other)} - {None}
    told: Mapping[Disputed, bool] = {"side": len(sides) == 2, "zone": len(zones) == 2}
    return tuple(what for what, differs in told.items() if differs)
