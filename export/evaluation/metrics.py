"""Figures of merit of a binary classifier on radiographs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_auc_score

Figures = Mapping[str, float | int | list[float]]
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
    Rates in 0..1, rounded to 4 digits; `auc_95` is the bootstrap 95 % interval of `auc`.
    """
    (tn, fp), (fn, tp) = confusion_matrix(targets, judgements.calls, labels=[0, 1]).tolist()
    rates = {
        "auc": float(roc_auc_score(targets, judgements.scores)),
        "accuracy": (tp + tn) / len(targets),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "precision": tp / max(tp + fp, 1),
        "brier": float(brier_score_loss(targets, judgements.probabilities)),
        "expected_calibration_error": expected_calibration_error(judgements.probabilities, targets),
    }
    interval = patient_bootstrap(roc_auc_score, judgements.scores, targets, patients)
    return {
        "images": len(targets),
        "patients": len(set(patients)),
        **{name: round(value, 4) for name, value in rates.items()},
        "auc_95": [round(bound, 4) for bound in interval],
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def expected_calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Mean gap between stated and observed frequency over ten bins of equal width (Naeini et al. 2015)."""
    bins = np.minimum((probabilities * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = [
        abs(probabilities[bins == b].mean() - targets[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    ]
    return float(np.sum(gaps))


def patient_bootstrap(
    metric: Callable[[NDArray[np.int64], NDArray[np.float64]], float],
    scores: NDArray[np.float64],
    targets: NDArray[np.int64],
    patients: Sequence[str],
) -> tuple[float, float]:
    """Give the 95 % percentile interval of a metric over resampled patients.

    Images of one patient are alike; drawing images would make the interval too narrow. Resamples that miss a
    class are left out.
    """
    names, membership = np.unique(np.asarray(patients), return_inverse=True)
    images_of = [np.flatnonzero(membership == k) for k in range(len(names))]
    generator = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([images_of[k] for k in generator.integers(0, len(names), len(names))])
        if 0 < targets[drawn].sum() < len(drawn):
            values.append(metric(targets[drawn], scores[drawn]))
    lower, upper = np.quantile(values, [0.025, 0.975])
    return float(lower), float(upper)
