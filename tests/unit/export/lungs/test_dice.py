"""The Dice coefficient against counts made by hand, its interval against enumeration."""

import itertools

import numpy as np
import pytest

from export.lungs.dice import bootstrap_mean, dice_coefficient


@pytest.mark.parametrize(
    ("mask", "reference", "expected"),
    [
        ([[1, 1, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 1]], 2 * 2 / (3 + 3)),
        ([[1, 1, 1], [1, 1, 1]], [[1, 0, 0], [0, 0, 0]], 2 * 1 / (6 + 1)),
        ([[1, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]], 0.0),
        ([[0, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]], 0.0),
        ([[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], 1.0),
        ([[0, 1, 1], [0, 1, 1]], [[0, 1, 1], [0, 1, 1]], 1.0),
    ],
)
def test_twice_the_overlap_over_both_areas(mask: object, reference: object, expected: float) -> None:
    assert dice_coefficient(np.array(mask, bool), np.array(reference, bool)) == pytest.approx(expected)


def test_the_interval_is_that_of_means_over_drawn_patients() -> None:
    """Two patients: every resample is one of four, which can be written down."""
    values, patients = np.array([0.5, 0.7, 0.9]), ["a", "a", "b"]
    of_patient = {"a": [0.5, 0.7], "b": [0.9]}
    means = [np.mean([*of_patient[p], *of_patient[q]]) for p, q in itertools.product("ab", repeat=2)]
    assert bootstrap_mean(values, patients) == pytest.approx((min(means), max(means)))


def test_images_of_one_patient_alone_leave_no_interval() -> None:
    assert bootstrap_mean(np.array([0.2, 0.8]), ["a", "a"]) == pytest.approx((0.5, 0.5))
