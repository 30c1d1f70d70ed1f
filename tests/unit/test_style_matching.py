"""The AUC among images of like style, counted by hand."""

import numpy as np
import pytest

from benchmarks.style_matching import matched_auc


def test_only_pairs_of_like_style_are_compared() -> None:
    """Across styles the score is perfect, within a style it is a toss-up: 1 of 2 pairs, and one tie."""
    targets = np.array([1, 1, 0, 0, 1, 0])
    style = np.array([3.0, 3.2, 3.1, -2.0, -2.1, 9.0])
    scores = np.array([5.0, 7.0, 6.0, 1.0, 1.0, -4.0])
    auc, lower, upper = matched_auc(scores, targets, style, list("abcdef"))
    assert auc == pytest.approx((0 + 1 + 0.5) / 3)
    assert 0 <= lower <= auc <= upper <= 1


def test_patients_are_drawn_as_a_whole() -> None:
    """With one patient for each label, every sample that has pairs holds all of them: the interval is a point."""
    scores, targets = np.array([1.0, 3.0, 2.0]), np.array([1, 1, 0])
    assert matched_auc(scores, targets, np.zeros(3), ["a", "a", "b"]) == (0.5, 0.5, 0.5)
