"""Figures of merit of a binary classifier on radiographs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, confusion_matrix

Figures = Mapping[str, Any]
_RESAMPLES = 1000
_CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Judgements:
    """What was said about each of n images.

    `scores` rank the images and give the AUC; `probabilities` are P(PNEUMONIA); `calls` are 1 where PNEUMONIA was said.
    """

    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    calls: NDArray[np.int64]

    @classmethod
    def at_threshold(cls, probabilities: NDArray[np.float64], decision_threshold: float) -> Self:
        """Say PNEUMONIA from one probability on."""
        return cls(probabilities, probabilities, (probabilities >= decision_threshold).astype(np.int64))

    def of(self, images: NDArray[np.int64] | NDArray[np.bool_]) -> "Judgements":
        """Take the judgements of some of the images."""
        return Judgements(self.scores[images], self.probabilities[images], self.calls[images])


def evaluate_judgements(judgements: Judgements, targets: NDArray[np.int64], patients: Sequence[str]) -> Figures:
    """Compute the figures that a model card states.

    Parameters
    ----------
    judgements
        Of n images.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    patients
        Who each image is of; intervals are made by drawing patients, not images.

    Returns
    -------
    Rates in 0..1, rounded to 4 digits; `auc_95` is the bootstrap 95 % interval of `auc`. What no image speaks of is
    None: the specificity where all are PNEUMONIA, the AUC where one label is missing.
    """
    (tn, fp), (fn, tp) = confusion_matrix(targets, judgements.calls, labels=[0, 1]).tolist()
    rates = {
        "auc": weighted_auc(judgements.scores, targets),
        "accuracy": (tp + tn) / len(targets),
        "sensitivity": _share(tp, tp + fn),
        "specificity": _share(tn, tn + fp),
        "precision": _share(tp, tp + fp),
        "recall": _share(tp, tp + fn),
        "brier": float(brier_score_loss(targets, judgements.probabilities, pos_label=1)),
        "expected_calibration_error": expected_calibration_error(judgements.probabilities, targets),
    }
    interval = auc_interval(judgements.scores, targets, patients)
    return {
        "images": len(targets),
        "patients": len(set(patients)),
        **{name: _rounded(value) for name, value in rates.items()},
        "auc_95": None if interval is None else [round(bound, 4) for bound in interval],
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def balanced_figures(judgements: Judgements, targets: NDArray[np.int64], weights: NDArray[np.float64]) -> Figures:
    """Compute the figures that weights can change, each image counting by its weight.

    Returns
    -------
    Rates in 0..1, rounded to 4 digits, under names that begin with `style_balanced_`.
    """
    correct = judgements.calls == targets
    rates = {
        "auc": weighted_auc(judgements.scores, targets, weights),
        "sensitivity": _share(weights[correct & (targets == 1)].sum(), weights[targets == 1].sum()),
        "specificity": _share(weights[correct & (targets == 0)].sum(), weights[targets == 0].sum()),
        "expected_calibration_error": expected_calibration_error(judgements.probabilities, targets, weights),
    }
    return {f"style_balanced_{name}": _rounded(value) for name, value in rates.items()}


def expected_calibration_error(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """Mean gap between stated and observed frequency over ten bins of equal width (Naeini et al. 2015)."""
    shares = np.ones(len(targets)) if weights is None else weights
    bins = np.minimum((probabilities * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, shares * (probabilities - targets))
    return float(np.abs(gaps).sum() / shares.sum())


def weighted_auc(
    scores: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float | None:
    """Give the chance that a PNEUMONIA scores above a NORMAL, each image drawn by its weight; ties count half.

    Returns
    -------
    The area under the ROC curve, 0..1, or None where one label has no weight.
    """
    _, ranks = np.unique(scores, return_inverse=True)
    return _auc_of_ranks(ranks, targets, np.ones(len(targets)) if weights is None else weights)


def auc_interval(
    scores: NDArray[np.float64],
    targets: NDArray[np.int64],
    patients: Sequence[str],
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float] | None:
    """Give the 95 % percentile interval of the AUC over resampled patients, each image counting by its weight.

    Images of one patient are alike; drawing images would make the interval too narrow. Resamples that miss a
    class are left out.
    """
    if not 0 < targets.sum() < len(targets):
        return None
    names, membership = np.unique(np.asarray(patients), return_inverse=True)
    _, ranks = np.unique(scores, return_inverse=True)
    shares = np.ones(len(targets)) if weights is None else weights
    generator = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.bincount(generator.integers(0, len(names), len(names)), minlength=len(names))
        values.append(_auc_of_ranks(ranks, targets, drawn[membership] * shares))
    lower, upper = np.quantile([value for value in values if value is not None], [0.025, 0.975])
    return float(lower), float(upper)


def _auc_of_ranks(ranks: NDArray[np.int64], targets: NDArray[np.int64], weights: NDArray[np.float64]) -> float | None:
    positives, negatives = np.bincount(ranks, weights * targets), np.bincount(ranks, weights * (1 - targets))
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return None
    return float((positives * (np.cumsum(negatives) - negatives / 2)).sum() / pairs)


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
