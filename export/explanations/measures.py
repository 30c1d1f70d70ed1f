"""What is measured of the maps of one radiograph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.explain.agreement import overlap
from api.explain.evidence import Evidence
from api.explain.map_tests import area_under, shift, similarity
from api.explain.whereabouts import share_inside
from api.types import Subject
from export.data.examples import Example
from export.evaluation.calibration import sigmoid
from export.explanations.cells import cell_means
from export.explanations.contenders import Contender, baselines, explain, is_silent, look_at, maps_of, pairs
from export.explanations.curves import trace
from export.explanations.model_files import ModelFiles
from export.explanations.radiographs import lungs_of
from export.explanations.similarity import rank_correlation, structural_similarity


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a map. `rises` says whether better maps have more of it, None if it is not compared."""

    key: str
    title: str
    rises: bool | None


INSERTION = Measure("insertion", "insertion, log-odds", rises=True)
DELETION = Measure("deletion", "deletion, log-odds", rises=False)
LUNGS = Measure("lung_energy", "energy in the lungs", rises=True)
DECISIVE: Sequence[Measure] = (INSERTION, DELETION, LUNGS)
COMPARED: Sequence[Measure] = (
    *DECISIVE,
    Measure("insertion_probability", "insertion, P", rises=True),
    Measure("deletion_probability", "deletion, P", rises=False),
)
STABILITY = Measure("stability", "stability", rises=None)
RANKS_KEPT = Measure("rank_correlation", "rank correlation", rises=None)
STRUCTURE_KEPT = Measure("structural_similarity", "structural similarity", rises=None)

Values = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """All numbers of one radiograph.

    `values` by map and then by measure; what cannot be told is left out. `correlations` and `overlaps` are of every two
    maps. `cells` holds each map's means ``[CELLS, CELLS]``. `silent` names maps that say nothing about places.
    """

    patient: str
    values: Values
    correlations: Mapping[tuple[str, str], float]
    overlaps: Mapping[tuple[str, str], float]
    cells: Mapping[str, NDArray[np.float64]]
    silent: frozenset[str]
    reference_lungs: bool | None
    lung_share: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """What every radiograph is measured with."""

    data: Path
    models: ModelFiles
    contenders: Mapping[str, Contender]
    levels: int


def measure(example: Example, subject: Subject, bench: Bench, seed: int) -> Measured:
    """Measure all maps of one radiograph.

    Parameters
    ----------
    example, subject
        The radiograph.
    bench
        What it is measured with.
    seed
        Of the random baseline, and of the order of cells that a map does not order.
    """
    generator = np.random.default_rng(seed)
    found = maps_of(explain(subject, bench.contenders, bench.models))
    maps = {**found, **baselines(generator)}
    lungs = lungs_of(example, subject, bench.data)
    mask = None if lungs is None else lungs[0]
    values = _merge(
        _faithfulness(subject, maps, bench, generator), _energies(maps, mask), _stability(subject, found, bench)
    )
    return Measured(
        patient=example.patient,
        values=values,
        correlations={pair: rank_correlation(*(maps[name].ranking for name in pair)) for pair in pairs(list(maps))},
        overlaps={pair: overlap(*(maps[name].region for name in pair)) for pair in pairs(list(maps))},
        cells={name: cell_means(evidence.ranking) for name, evidence in maps.items()},
        silent=frozenset(name for name, evidence in maps.items() if is_silent(evidence)),
        reference_lungs=None if lungs is None else lungs[1],
        lung_share=None if mask is None else float(mask.mean()),
    )


def measure_randomised(subject: Subject, before: Mapping[str, Evidence], shuffled: ModelFiles, bench: Bench) -> Values:
    """Compare the maps of a radiograph with those that a network with shuffled weights gives.

    Parameters
    ----------
    subject
        The radiograph.
    before
        The maps of the methods that look at the classifier.
    shuffled
        The models with the shuffled network.
    bench
        With the same contenders.
    """
    chosen = {name: bench.contenders[name] for name in before}
    after = maps_of(explain(subject, chosen, shuffled))
    return {
        name: {
            RANKS_KEPT.key: rank_correlation(evidence.ranking, after[name].ranking),
            STRUCTURE_KEPT.key: structural_similarity(evidence.heat, after[name].heat),
            "silent": float(is_silent(after[name])),
        }
        for name, evidence in before.items()
    }


def _faithfulness(
    subject: Subject, maps: Mapping[str, Evidence], bench: Bench, generator: np.random.Generator
) -> Values:
    rankings = {name: evidence.ranking for name, evidence in maps.items()}
    curves = trace(subject.seen, rankings, bench.models.log_odds, bench.levels, generator)
    return {
        name: {
            "insertion": area_under(curve.insertion),
            "deletion": area_under(curve.deletion),
            "insertion_probability": area_under(sigmoid(curve.insertion)),
            "deletion_probability": area_under(sigmoid(curve.deletion)),
        }
        for name, curve in curves.items()
    }


def _energies(maps: Mapping[str, Evidence], lungs: NDArray[np.bool_] | None) -> Values:
    if lungs is None:
        return {}
    return {name: {LUNGS.key: share_inside(evidence.heat, lungs)} for name, evidence in maps.items()}


def _stability(subject: Subject, maps: Mapping[str, Evidence], bench: Bench) -> Values:
    """Correlate with the maps of the shifted radiograph by the gateway's own test; 0 where either is silent."""
    moved = look_at(shift(subject.pixels), bench.models)
    after = maps_of(explain(moved, {name: bench.contenders[name] for name in maps}, bench.models))
    return {name: {STABILITY.key: similarity(evidence.heat, after[name].heat)} for name, evidence in maps.items()}


def _merge(*parts: Values) -> Values:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: {key: value for part in parts for key, value in part.get(name, {}).items()} for name in names}
