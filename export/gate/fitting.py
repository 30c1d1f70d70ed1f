"""Distances from classes of chest radiographs, and which class is nearest.

Every class is a Gaussian around its own centre, all with one covariance (Lee et al. 2018, "A simple unified framework
for detecting out-of-distribution samples and adversarial attacks"), in the directions in which the radiographs of a
class differ most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 128
FRONTAL = "frontal"
_TINY = 1e-6


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of chest radiograph that has a centre of its own.

    `turns` are quarters, counter-clockwise; `disturbance` is a name in `export.gate.disturbances.FITTED`, or empty.
    """

    presentation: str
    population: str
    turns: int = 0
    disturbance: str = ""


@dataclass(frozen=True, slots=True)
class ClassifiedFeatures:
    """Features of n radiographs, shape ``[n, d]``, the kind of each, and whose it is."""

    values: NDArray[np.float32]
    kinds: Sequence[Kind]
    patients: Sequence[str]

    def take(self, chosen: NDArray[np.int64]) -> "ClassifiedFeatures":
        """Keep the chosen ones, by their positions."""
        return ClassifiedFeatures(
            self.values[chosen], [self.kinds[i] for i in chosen], [self.patients[i] for i in chosen]
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """Whitens features of d channels to k dimensions and measures distances from c centres.

    `mean` has shape ``[d]``, `projection` ``[d, k]``, `centres` ``[c, k]``; `membership` ``[c, K]`` is 1 where a centre
    belongs to a presentation. The projection is scaled so that a radiograph of a class is about 1 from its centre.
    """

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]
    centres: NDArray[np.float32]
    membership: NDArray[np.float32]
    presentations: tuple[str, ...]

    def squared_distances(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Measure from every centre, shape ``[n, c]``; `features` have shape ``[n, d]``."""
        whitened = (features.astype(np.float64) - self.mean) @ self.projection
        return np.stack([np.square(whitened - centre).sum(axis=1) for centre in self.centres], axis=1)

    def ood_score(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Measure the distance from the nearest centre, at least 0, shape ``[n]``; `features` have shape ``[n, d]``."""
        return np.asarray(np.sqrt(self.squared_distances(features).min(axis=1)))

    def presentation(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the probability of each presentation, shape ``[n, K]``, all centres being equally likely before."""
        log_likelihoods = -0.5 * self.projection.shape[1] * self.squared_distances(features)
        shares = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True) @ self.membership)


def fit_gate(features: ClassifiedFeatures, dimensions: int = DIMENSIONS) -> Gate:
    """Fit a centre for each kind and one covariance for all.

    Every population weighs the same in the covariance: otherwise the many radiographs of children decide how much
    the few of adults may differ.

    Parameters
    ----------
    features
        Of radiographs; the first presentation will be ``frontal``.
    dimensions
        Directions to keep, at most as many as there are channels.
    """
    values = features.values.astype(np.float64)
    weights = _equal_mass([kind.population for kind in features.kinds])
    mean = weights @ values
    spread = np.sqrt(weights @ np.square(values - mean)) + _TINY
    standard = (values - mean) / spread
    kinds = sorted(set(features.kinds), key=lambda kind: (kind.presentation != FRONTAL, kind))
    members = np.array([kinds.index(kind) for kind in features.kinds])
    centres = np.stack([standard[members == k].mean(axis=0) for k in range(len(kinds))])
    whitening = _whitening(standard - centres[members], weights, dimensions)
    presentations = tuple(dict.fromkeys(kind.presentation for kind in kinds))
    membership = np.array([[kind.presentation == name for name in presentations] for kind in kinds])
    return Gate(
        mean=mean.astype(np.float32),
        projection=(whitening / spread[:, np.newaxis]).astype(np.float32),
        centres=(centres @ whitening).astype(np.float32),
        membership=membership.astype(np.float32),
        presentations=presentations,
    )


def _equal_mass(populations: Sequence[str]) -> NDArray[np.float64]:
    names, of, counts = np.unique(populations, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(names) * counts[of]))


def _whitening(deviations: NDArray[np.float64], weights: NDArray[np.float64], dimensions: int) -> NDArray[np.float64]:
    """Turn deviations ``[n, d]`` into k uncorrelated numbers of variance 1/k by a matrix ``[d, k]``."""
    covariance = (deviations * weights[:, np.newaxis]).T @ deviations
    variances, directions = np.linalg.eigh(covariance)
    kept = np.argsort(variances)[::-1][:dimensions]
    return np.asarray(directions[:, kept] / np.sqrt((variances[kept] + _TINY) * len(kept)))
