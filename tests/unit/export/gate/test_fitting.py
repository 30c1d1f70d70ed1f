"""Distances and presentations against their textbook definitions."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from export.gate.fitting import ClassifiedFeatures, Gate, Kind, fit_gate

KINDS = (Kind("inverted", "children"), Kind("frontal", "adults"), Kind("frontal", "children"))
CENTRES = np.array([[4.0, 0, 0, 0], [0, 3, 0, 1], [0, 0, 2, 0]])
MIXING = np.random.default_rng(9).normal(size=(4, 4))


def draw(counts: tuple[int, ...], seed: int = 0) -> ClassifiedFeatures:
    generator = np.random.default_rng(seed)
    members = np.repeat(np.arange(3), counts)
    values = (CENTRES[members] + generator.normal(size=(len(members), 4))) @ MIXING
    return ClassifiedFeatures(
        values.astype(np.float32), [KINDS[k] for k in members], [f"p{i}" for i in range(len(members))]
    )


def by_definition(features: ClassifiedFeatures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres ``[3, 4]`` and the covariance in which both populations weigh the same."""
    members = np.array([KINDS.index(kind) for kind in features.kinds])
    centres = np.stack([features.values[members == k].mean(axis=0) for k in range(3)]).astype(np.float64)
    deviations = features.values - centres[members]
    adults = np.array([kind.population == "adults" for kind in features.kinds])
    covariance = sum((deviations[part].T @ deviations[part]) / part.sum() / 2 for part in (adults, ~adults))
    return centres, np.asarray(covariance)


def test_the_score_is_the_mahalanobis_distance_from_the_nearest_centre() -> None:
    features = draw((40, 25, 60))
    centres, covariance = by_definition(features)
    others = np.random.default_rng(1).normal(0, 6, (30, 4))
    inverse = np.linalg.inv(covariance)
    squared = [[(x - centre) @ inverse @ (x - centre) for centre in centres] for x in others]
    expected = np.sqrt(np.min(squared, axis=1) / 4)  # of the 4 dimensions' mean, so that it is about 1 within a class
    np.testing.assert_allclose(fit_gate(features).ood_score(others), expected, rtol=1e-3)


def test_the_presentation_is_the_posterior_of_equally_likely_gaussians() -> None:
    features = draw((40, 25, 60))
    centres, covariance = by_definition(features)
    others = features.values[::7] + np.random.default_rng(1).normal(0, 0.7, features.values[::7].shape)
    densities = np.stack([multivariate_normal(centre, covariance).pdf(others) for centre in centres], axis=1)
    posterior = densities / densities.sum(axis=1, keepdims=True)
    gate = fit_gate(features)
    assert gate.presentations == ("frontal", "inverted")
    expected = np.stack([posterior[:, 1] + posterior[:, 2], posterior[:, 0]], axis=1)
    assert 0.05 < expected[:, 0].mean() < 0.95
    np.testing.assert_allclose(gate.presentation(others), expected, atol=2e-3)


def test_many_children_do_not_decide_how_much_adults_may_differ() -> None:
    """Ten copies of every child change nothing."""
    features = draw((40, 25, 60))
    children = [i for i, kind in enumerate(features.kinds) if kind.population == "children"]
    more = features.take(np.array([*range(len(features.kinds)), *children * 9]))
    others = np.random.default_rng(1).normal(0, 6, (10, 4))
    np.testing.assert_allclose(fit_gate(more).ood_score(others), fit_gate(features).ood_score(others), rtol=1e-4)


def test_fewer_dimensions_keep_those_in_which_radiographs_differ_most() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(400, 1)) * [1.0, 1.0, 0] + generator.normal(size=(400, 3)) * [0.1, 0.1, 1.0]
    gate = fit_gate(ClassifiedFeatures(values.astype(np.float32), [KINDS[2]] * 400, [""] * 400), dimensions=1)
    assert gate.projection.shape == (3, 1)
    along, across = gate.ood_score(values.mean(axis=0) + np.array([[2.0, 2.0, 0.0], [2.0, -2.0, 2.0]]))
    assert along == pytest.approx(2.0, rel=0.1)
    assert across < 0.3


def test_a_channel_that_never_changes_does_no_harm() -> None:
    features = draw((40, 25, 60))
    constant = np.hstack([features.values, np.full((len(features.values), 1), 3.0, np.float32)])
    gate: Gate = fit_gate(ClassifiedFeatures(constant, features.kinds, features.patients), dimensions=4)
    expected = fit_gate(features).ood_score(features.values)
    np.testing.assert_allclose(gate.ood_score(constant), expected, rtol=1e-3)
