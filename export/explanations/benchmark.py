"""The benchmark: measured radiographs, summed up and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from api.catalogue import CLASSIFIER
from api.types import Subject
from export.data.examples import Example
from export.explanations.contenders import BASELINES, Contender, contenders, explain, maps_of, pairs
from export.explanations.measures import (
    COMPARED,
    DECISIVE,
    RANKS_KEPT,
    STABILITY,
    STRUCTURE_KEPT,
    Bench,
    Measure,
    Measured,
    Values,
    measure,
    measure_randomised,
)
from export.explanations.model_files import ModelFiles
from export.explanations.radiographs import Radiographs, called_pneumonia
from export.explanations.randomisation import explain_again, shuffle_weights
from export.explanations.resampling import Estimate, mean_over_patients
from export.explanations.similarity import rank_correlation
from export.release.provenance import sha256_of

FAILING_CORRELATION = 0.5  # with the map of the shuffled network: half of the order of places is then not learned
SHUFFLES = 3
Record = dict[str, Any]


def run_benchmark(radiographs: Radiographs, models: ModelFiles, images: int, levels: int, shuffled: int) -> Record:
    """Measure every method on radiographs with pneumonia that the classifier calls PNEUMONIA.

    Parameters
    ----------
    radiographs
        To choose from.
    models
        The repository's.
    images
        How many radiographs.
    levels
        Steps of the insertion and deletion curves.
    shuffled
        On how many of them the shuffled networks are asked too.

    Returns
    -------
    The record, as JSON holds it: ``[mean, lower, upper]`` for each figure.

    Raises
    ------
    ValueError
        The classifier calls none of them PNEUMONIA.
    """
    chosen = contenders()
    bench = Bench(radiographs.data, models, chosen, levels)
    taken = called_pneumonia(radiographs.examples(), images, models)
    if not taken:
        raise ValueError(f"The classifier must call a radiograph PNEUMONIA. Received: none of {radiographs.describe()}")
    measured = [
        measure(example, subject, bench, seed)
        for seed, (example, subject) in enumerate(tqdm(taken, desc="explanations", unit="image"))
    ]
    kept = _randomise(taken[:shuffled], bench)
    return {
        "radiographs": radiographs.describe(),
        "selection": "pneumonias that the classifier calls PNEUMONIA, drawn at random, one of each patient first",
        "classifier_sha256": sha256_of(models.models[CLASSIFIER].file),
        "levels": levels,
        **_about(measured),
        **summarise(measured, kept, [example.patient for example, _ in taken[:shuffled]], chosen),
    }


def summarise(
    measured: Sequence[Measured], kept: Sequence[Values], kept_patients: Sequence[str], chosen: Mapping[str, Contender]
) -> Record:
    """Sum up and judge.

    Parameters
    ----------
    measured
        One for each radiograph.
    kept
        What was left of the maps of some of them after shuffling.
    kept_patients
        Of these.
    chosen
        The contenders; those without a map are left out.
    """
    names = [name for name in measured[0].values if name not in BASELINES]
    means = {name: _means(name, measured) for name in [*names, *BASELINES]}
    methods: dict[str, Record] = {}
    for name in names:
        versus = {each.key: _versus(name, each, measured) for each in COMPARED if each.key in means[name]}
        methods[name] = {
            "figures": means[name],
            "versus_better_baseline": versus,
            "beats_both_baselines": all(versus.get(each.key, {"beats": False})["beats"] for each in DECISIVE),
            "agreement": _agreement(name, measured, chosen),
            "between_patients": _between_patients(name, measured),
            "randomisation": _randomisation(name, kept, kept_patients, chosen[name]),
            "silent_images": sum(name in each.silent for each in measured),
        }
    return {
        "baselines": {name: {"figures": means[name]} for name in BASELINES},
        "methods": methods,
        "pairs": [_pair(one, other, measured) for one, other in pairs([*names, *BASELINES])],
        "failing_rank_correlation": FAILING_CORRELATION,
        "fails_randomisation": [name for name in names if _fails(methods[name]["randomisation"])],
        "shuffled_images": len(kept),
    }


def _about(measured: Sequence[Measured]) -> Record:
    shares = [each.lung_share for each in measured if each.lung_share is not None]
    return {
        "images": len(measured),
        "patients": len({each.patient for each in measured}),
        "reference_masks": sum(each.reference_lungs is True for each in measured),
        "segmented_masks": sum(each.reference_lungs is False for each in measured),
        "lung_share_of_frame": round(float(np.mean(shares)), 4) if shares else None,
    }


def _means(name: str, measured: Sequence[Measured]) -> Record:
    keys = [each.key for each in (*COMPARED, STABILITY)]
    found = {key: _estimate(name, key, measured) for key in keys}
    return {key: estimate.record() for key, estimate in found.items() if estimate is not None}


def _estimate(name: str, key: str, measured: Sequence[Measured]) -> Estimate | None:
    known = [(each.values[name][key], each.patient) for each in measured if key in each.values[name]]
    return mean_over_patients(*zip(*known, strict=True)) if known else None


def _versus(name: str, compared: Measure, measured: Sequence[Measured]) -> Record:
    """Compare with the baseline that is better on the mean: image by image, so that easy images do not blur it."""
    sign = 1 if compared.rises else -1
    known = [each for each in measured if compared.key in each.values[name]]
    values = {who: np.array([each.values[who][compared.key] for each in known]) for who in (name, *BASELINES)}
    better = max(BASELINES, key=lambda who: sign * float(values[who].mean()))
    difference = mean_over_patients(values[name] - values[better], [each.patient for each in known])
    return {
        "baseline": better,
        "difference": difference.record(),
        "beats": (difference.lower > 0) if compared.rises else (difference.upper < 0),
    }


def _agreement(name: str, measured: Sequence[Measured], chosen: Mapping[str, Contender]) -> list[float] | None:
    """Average the rank correlation with all maps of other methods, not with other options of the same one."""
    others = [who for who in chosen if chosen[who].method != chosen[name].method]
    each_image = [
        [value for pair, value in each.correlations.items() if name in pair and (set(pair) - {name}).issubset(others)]
        for each in measured
    ]
    if not each_image[0]:
        return None
    patients = [each.patient for each in measured]
    return mean_over_patients([float(np.mean(values)) for values in each_image], patients).record()


def _between_patients(name: str, measured: Sequence[Measured]) -> list[float] | None:
    """Correlate each map with that of the next patient's radiograph: what does not depend on the radiograph at all."""
    following = [*measured[1:], measured[0]]
    pairs_of_patients = [
        (each, after) for each, after in zip(measured, following, strict=True) if each.patient != after.patient
    ]
    if not pairs_of_patients:
        return None
    values = [rank_correlation(each.cells[name], after.cells[name]) for each, after in pairs_of_patients]
    return mean_over_patients(values, [each.patient for each, _ in pairs_of_patients]).record()


def _pair(one: str, other: str, measured: Sequence[Measured]) -> Record:
    return {
        "maps": [one, other],
        "rank_correlation": round(float(np.mean([each.correlations[one, other] for each in measured])), 4),
        "overlap": round(float(np.mean([each.overlaps[one, other] for each in measured])), 4),
    }


def _randomisation(name: str, kept: Sequence[Values], patients: Sequence[str], contender: Contender) -> Record:
    if not contender.looks_at_classifier:
        return {"looks_at_classifier": False, "passes": False}
    if not kept:
        return {"looks_at_classifier": True, "passes": None}
    figures = {
        key: mean_over_patients([values[name][key] for values in kept], patients)
        for key in (RANKS_KEPT.key, STRUCTURE_KEPT.key)
    }
    return {
        "looks_at_classifier": True,
        **{key: estimate.record() for key, estimate in figures.items()},
        "silent_images": int(sum(values[name]["silent"] for values in kept)),
        "passes": figures[RANKS_KEPT.key].mean < FAILING_CORRELATION,
    }


def _fails(randomisation: Record) -> bool:
    """Tell whether a method that looks at the classifier fails; of the others it is known without a test."""
    return bool(randomisation["looks_at_classifier"]) and randomisation["passes"] is False


def _randomise(taken: Sequence[tuple[Example, Subject]], bench: Bench) -> list[Values]:
    """Ask shuffled networks, each about its share of the radiographs. Methods that see none are left out."""
    seeing = {name: contender for name, contender in bench.contenders.items() if contender.looks_at_classifier}
    bench = replace(bench, contenders=seeing)
    kept: list[tuple[int, Values]] = []
    for seed in range(min(SHUFFLES, len(taken))):
        networks = _shuffled(bench.models, seed)
        for place in tqdm(range(seed, len(taken), SHUFFLES), desc=f"shuffled network {seed + 1}", unit="image"):
            subject = taken[place][1]
            before = maps_of(explain(subject, seeing, bench.models))
            kept.append((place, measure_randomised(subject, before, networks, bench)))
    return [values for _, values in sorted(kept, key=lambda each: each[0])]


def _shuffled(models: ModelFiles, seed: int) -> ModelFiles:
    classifier = shuffle_weights(onnx.load(models.models[CLASSIFIER].file), seed)
    return models.with_networks(classifier.SerializeToString(), explain_again(classifier).SerializeToString())
