"""Means and their intervals over patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the 95 % interval of it."""

    mean: float
    lower: float
    upper: float

    def record(self) -> list[float]:
        """Give mean, lower and upper end for JSON, rounded to 4 digits."""
        return [round(value, 4) for value in (self.mean, self.lower, self.upper)]


def mean_over_patients(values: Sequence[float] | NDArray[np.float64], patients: Sequence[str]) -> Estimate:
    """Average over images, and give the percentile interval over resampled patients.

    Images of one patient are alike; drawing images would make the interval too narrow. Every call draws the same
    patients, so that the interval of a difference is that of paired values.

    Parameters
    ----------
    values
        One for each of n images.
    patients
        Who each image is of.
    """
    array = np.asarray(values, np.float64)
    names, membership = np.unique(np.asarray(patients), return_inverse=True)
    drawn = np.random.default_rng(0).integers(0, len(names), (_RESAMPLES, len(names)))
    counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in drawn])
    weights = counts[:, membership]
    means = weights @ array / weights.sum(axis=1)
    lower, upper = np.quantile(means, [0.025, 0.975])
    return Estimate(float(array.mean()), float(lower), float(upper))
