"""How alike two maps are."""

import numpy as np
import pytest
from scipy import stats

from export.explanations.cells import CELLS
from export.explanations.similarity import rank_correlation, structural_similarity

ONE = np.random.default_rng(0).random((CELLS, CELLS))
OTHER = np.random.default_rng(1).random((CELLS, CELLS)) + ONE


def test_only_the_order_counts() -> None:
    assert rank_correlation(ONE, ONE**3) == pytest.approx(1)
    assert rank_correlation(ONE, -ONE) == pytest.approx(-1)
    expected = stats.spearmanr(ONE.ravel(), OTHER.ravel()).statistic
    assert 0.4 < expected < 0.9
    assert rank_correlation(ONE, OTHER) == pytest.approx(expected, abs=1e-9)


def test_nothing_is_like_a_map_that_says_nothing() -> None:
    assert rank_correlation(ONE, np.ones((CELLS, CELLS))) == 0
    assert rank_correlation(np.full((100, 100), 0.1), ONE) == 0


def test_structural_similarity_window_by_window() -> None:
    one, other = ONE / ONE.max(), OTHER / OTHER.max()
    padded = [np.pad(values, 3, mode="symmetric") for values in (one, other)]
    scores = []
    for row, column in np.ndindex(CELLS, CELLS):
        a, b = (values[row : row + 7, column : column + 7].ravel() for values in padded)
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        luminance = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
        scores.append(luminance * (2 * covariance + 9e-4) / (a.var() + b.var() + 9e-4))
    assert structural_similarity(ONE, OTHER) == pytest.approx(np.mean(scores), abs=1e-9)
    assert structural_similarity(ONE, 5 * ONE) == pytest.approx(1)
