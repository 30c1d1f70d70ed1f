"""The Dice coefficient (Dice 1945) of lung masks, and its interval over patients."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000


def dice_coefficient(mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """Give twice the overlap over the sum of both areas: 0 to 1, and 1 where both are empty. Shapes are equal."""
    total = int(mask.sum()) + int(reference.sum())
    return 2 * int((mask & reference).sum()) / total if total else 1.0


def bootstrap_mean(values: NDArray[np.float64], patients: Sequence[str]) -> tuple[float, float]:
    """Give the 95 % percentile interval of a mean over images, resampling patients.

    Images of one patient are alike; drawing images would make the interval too narrow.

    Parameters
    ----------
    values
        One per image, shape ``[n]``.
    patients
        Who each image is of.
    """
    names, membership = np.unique(np.asarray(patients), return_inverse=True)
    sums, counts = np.bincount(membership, values), np.bincount(membership)
    drawn = np.random.default_rng(0).integers(0, len(names), (_RESAMPLES, len(names)))
    lower, upper = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(lower), float(upper)
