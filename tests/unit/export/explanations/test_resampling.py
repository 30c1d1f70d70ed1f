"""Intervals over patients."""

import numpy as np

from export.explanations.resampling import mean_over_patients


def test_patients_are_drawn_not_images() -> None:
    estimate = mean_over_patients([0, 0, 0, 1], ["a", "a", "a", "b"])
    # Drawn are a and a, a and b, or b and b: the means 0, 1/4 and 1.
    assert estimate.record() == [0.25, 0.0, 1.0]


def test_the_interval_of_many_patients_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    estimate = mean_over_patients(values, [str(number) for number in range(400)])
    half = 1.96 * values.std() / 20
    assert abs(estimate.lower - (values.mean() - half)) < 0.1 * half
    assert abs(estimate.upper - (values.mean() + half)) < 0.1 * half


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    generator = np.random.default_rng(0)
    easy = generator.normal(0, 10, 50)
    one, other = easy + 1 + generator.normal(0, 0.1, 50), easy
    patients = [str(number) for number in range(50)]
    difference = mean_over_patients(one - other, patients)
    assert 0.9 < difference.lower < 1 < difference.upper < 1.1
    parts = [mean_over_patients(values, patients) for values in (one, other)]
    assert np.isclose(difference.mean, parts[0].mean - parts[1].mean)
    assert parts[0].lower < parts[1].mean
