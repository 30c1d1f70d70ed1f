"""Fits the gate of a network, and chooses and measures its limits by patients that it was not fitted to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from export.data.examples import Example, fold_group
from export.gate.features import gate_features
from export.gate.fitting import FRONTAL, ClassifiedFeatures, Gate, fit_gate
from export.gate.halves import measures
from export.gate.pictures import LATERAL, Picture, disturbed_radiographs, features_of, lateral_pictures, radiographs

_FOLDS = 5
_UNLIKE_QUANTILE = 0.99
_SLACK = 1.25  # lies between disturbed radiographs and the kinds of `export.gate.drawings.CHOSEN_WITH`
RULE = (
    f"unlike: the {_UNLIKE_QUANTILE:.0%} quantile of the scores of frontal radiographs that the gate was not fitted "
    f"to, of half of their patients, the larger one of the populations; refuse: {_SLACK} times that"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """On `ood_score`: over `unlike` an image is unlike the training data, over `refuse` no chest radiograph."""

    unlike: float
    refuse: float


@dataclass(frozen=True, slots=True)
class BuiltGate:
    """A gate, its limits, and what a gate not fitted to their patients says of radiographs that chose no limit."""

    gate: Gate
    limits: Limits
    out_of_fold: Mapping[str, Mapping[str, Any]]


def build_gate(network: keras.Model, examples: Sequence[Example], held_out: Sequence[Example], data: Path) -> BuiltGate:
    """Fit a gate to the radiographs that a network was trained on; choose and measure its limits on patients left out.

    Parameters
    ----------
    network
        The classifier as it will be served: its weights rounded.
    examples
        The frontal radiographs that it was trained on.
    held_out
        Radiographs that the network has not seen. If there are any, the gate is not fitted to them, half of their
        patients choose the limits, and the other half measure it; without, each fifth of the patients is judged by a
        gate fitted to the others.
    data
        The data set, for lateral views.
    """
    looked_at = gate_features(network)
    pictures = [*radiographs(examples), *disturbed_radiographs(examples), *lateral_pictures(data)]
    features = features_of(pictures, looked_at)
    gate = fit_gate(features)
    if not held_out:
        return BuiltGate(gate, *_choose_and_measure(pictures, _judge_out_of_fold(features)))
    unseen = radiographs(held_out)
    return BuiltGate(gate, *_choose_and_measure(unseen, _judge(gate, features_of(unseen, looked_at))))


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """Score and presentation of n pictures, shape ``[n]`` each."""

    scores: NDArray[np.float64]
    named: NDArray[np.str_]


def _judge(gate: Gate, features: ClassifiedFeatures) -> _Verdicts:
    named = np.array(gate.presentations)[gate.presentation(features.values).argmax(axis=1)]
    return _Verdicts(gate.ood_score(features.values), named)


def _judge_out_of_fold(features: ClassifiedFeatures) -> _Verdicts:
    """Judge each fifth of the patients by a gate fitted to the others; the file of a lateral view counts as one."""
    verdicts = _Verdicts(np.empty(len(features.values)), np.full(len(features.values), "", dtype="<U16"))
    groups = [fold_group(patient) for patient in features.patients]
    for rest, part in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(groups, groups=groups):
        judged = _judge(fit_gate(features.take(rest)), features.take(part))
        verdicts.scores[part], verdicts.named[part] = judged.scores, judged.named
    return verdicts


def _choose_and_measure(
    pictures: Sequence[Picture], verdicts: _Verdicts
) -> tuple[Limits, Mapping[str, Mapping[str, Any]]]:
    """Let one half of the patients choose the limits, and count what these say of the other half."""
    measuring = np.array([measures(picture.patient) for picture in pictures])
    limits = _choose_limits(pictures, verdicts.scores, ~measuring)
    return limits, _summarise(pictures, verdicts, limits, measuring)


def _choose_limits(pictures: Sequence[Picture], scores: NDArray[np.float64], choosing: NDArray[np.bool_]) -> Limits:
    """Follow `RULE`; rounded up to 4 digits."""
    plain = choosing & [picture.original and picture.kind.presentation == FRONTAL for picture in pictures]
    populations = np.array([picture.kind.population for picture in pictures])
    unlike = max(
        float(np.quantile(scores[plain & (populations == name)], _UNLIKE_QUANTILE))
        for name in np.unique(populations[plain])
    )
    return Limits(*(float(np.ceil(limit * 1e4) / 1e4) for limit in (unlike, _SLACK * unlike)))


def _summarise(
    pictures: Sequence[Picture], verdicts: _Verdicts, limits: Limits, measuring: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Count, for each kind: frontal and lateral radiographs as they came, the others as derived."""
    rows: dict[str, dict[str, Any]] = {}
    labels = np.array([f"{picture.kind.presentation} {picture.kind.population}" for picture in pictures])
    derived = [picture.kind.presentation not in (FRONTAL, LATERAL) for picture in pictures]
    counted = measuring & (np.array([picture.original for picture in pictures]) | derived)
    for label in dict.fromkeys(labels[counted].tolist()):
        chosen = counted & (labels == label)
        scores, named = verdicts.scores[chosen], verdicts.named[chosen]
        rows[label] = {
            "images": int(chosen.sum()),
            "refused": round(float((scores > limits.refuse).mean()), 4),
            "unlike": round(float((scores > limits.unlike).mean()), 4),
            "named_so": round(float((named == label.split()[0]).mean()), 4),
            "largest_score": round(float(scores.max()), 3),
        }
    return rows
