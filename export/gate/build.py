"""Fits the gate of a network and chooses its limits by what it says of patients that it was not fitted to."""

from collections.abc import Iterator, Mapping, Sequence
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
from export.gate.pictures import LATERAL, Picture, features_of, pictures_to_fit

_FOLDS = 5
_UNLIKE_QUANTILE = 0.99
_SLACK = 1.15  # lies between disturbed radiographs and the kinds of `export.gate.drawings.CHOSEN_WITH`
RULE = (
    f"unlike: the {_UNLIKE_QUANTILE:.0%} quantile of the out-of-fold scores of frontal radiographs, the larger one of "
    f"the populations; refuse: {_SLACK} times that"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """On `ood_score`: over `unlike` an image is unlike the training data, over `refuse` no chest radiograph."""

    unlike: float
    refuse: float


@dataclass(frozen=True, slots=True)
class BuiltGate:
    """A gate, its limits, and what it says of radiographs when fitted without their patients."""

    gate: Gate
    limits: Limits
    out_of_fold: Mapping[str, Mapping[str, Any]]


def build_gate(network: keras.Model, examples: Sequence[Example], held_out: Sequence[Example], data: Path) -> BuiltGate:
    """Fit a gate on all radiographs and measure it on patients left out.

    Parameters
    ----------
    network
        The classifier as it will be served: its weights rounded.
    examples
        The frontal radiographs that it was trained on.
    held_out
        Radiographs that the network has not seen. If there are any, the limits come from them and from nothing else;
        without, each fifth of the patients is judged by a gate fitted to the others.
    data
        The data set, for lateral views.
    """
    pictures = pictures_to_fit([*examples, *held_out], data)
    features = features_of(pictures, gate_features(network))
    scores, named = _judge_out_of_fold(features, _splits(features, held_out))
    judged = np.isfinite(scores)
    limits = _choose_limits(features, scores, judged & _plain(pictures))
    return BuiltGate(fit_gate(features), limits, _summarise(features, pictures, scores, named, limits))


def _splits(
    features: ClassifiedFeatures, held_out: Sequence[Example]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Give the positions to fit to and to judge; the file of a lateral view counts as its patient."""
    if held_out:
        unseen = np.isin(features.patients, [example.patient for example in held_out])
        yield np.flatnonzero(~unseen), np.flatnonzero(unseen)
        return
    groups = [fold_group(patient) for patient in features.patients]
    yield from GroupKFold(_FOLDS, shuffle=True, random_state=0).split(groups, groups=groups)


def _judge_out_of_fold(
    features: ClassifiedFeatures, splits: Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Give score and presentation of each picture, shape ``[n]``; NaN where no split has judged it."""
    scores = np.full(len(features.values), np.nan)
    named = np.full(len(features.values), "", dtype="<U16")
    for rest, part in splits:
        gate = fit_gate(features.take(rest))
        scores[part] = gate.ood_score(features.values[part])
        named[part] = np.array(gate.presentations)[gate.presentation(features.values[part]).argmax(axis=1)]
    return scores, named


def _plain(pictures: Sequence[Picture]) -> NDArray[np.bool_]:
    return np.array([picture.original and picture.kind.presentation == FRONTAL for picture in pictures])


def _choose_limits(features: ClassifiedFeatures, scores: NDArray[np.float64], plain: NDArray[np.bool_]) -> Limits:
    """Follow `RULE`; rounded up to 4 digits."""
    populations = np.array([kind.population for kind in features.kinds])
    unlike = max(
        float(np.quantile(scores[plain & (populations == name)], _UNLIKE_QUANTILE))
        for name in np.unique(populations[plain])
    )
    return Limits(*(float(np.ceil(limit * 1e4) / 1e4) for limit in (unlike, _SLACK * unlike)))


def _summarise(
    features: ClassifiedFeatures,
    pictures: Sequence[Picture],
    scores: NDArray[np.float64],
    named: NDArray[np.str_],
    limits: Limits,
) -> dict[str, dict[str, Any]]:
    """Count, for each kind: frontal radiographs as they came, the others as derived."""
    rows: dict[str, dict[str, Any]] = {}
    labels = np.array([f"{kind.presentation} {kind.population}" for kind in features.kinds])
    derived = [picture.kind.presentation not in (FRONTAL, LATERAL) for picture in pictures]
    counted = np.isfinite(scores) & (np.array([picture.original for picture in pictures]) | derived)
    for label in dict.fromkeys(labels[counted].tolist()):
        chosen = counted & (labels == label)
        rows[label] = {
            "images": int(chosen.sum()),
            "refused": round(float((scores[chosen] > limits.refuse).mean()), 4),
            "unlike": round(float((scores[chosen] > limits.unlike).mean()), 4),
            "named_so": round(float((named[chosen] == label.split()[0]).mean()), 4),
            "largest_score": round(float(scores[chosen].max()), 3),
        }
    return rows
