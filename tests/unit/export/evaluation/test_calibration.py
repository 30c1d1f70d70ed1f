"""Calibration and thresholds on scores whose truth is known."""

import numpy as np
import pytest

from export.evaluation.calibration import WANTED_SENSITIVITY, choose_thresholds, fit_platt
from export.evaluation.metrics import Judgements, evaluate_judgements, expected_calibration_error


def test_platt_scaling_finds_the_distortion_that_was_put_in() -> None:
    generator = np.random.default_rng(0)
    true_log_odds = generator.normal(0, 2, 20_000)
    targets = (generator.random(20_000) < 1 / (1 + np.exp(-true_log_odds))).astype(np.int64)
    distorted = (true_log_odds - 1.5) / 0.4
    calibration = fit_platt(distorted, targets)
    assert calibration.slope == pytest.approx(0.4, rel=0.05)
    assert calibration.intercept == pytest.approx(1.5, abs=0.06)
    np.testing.assert_allclose(calibration.apply(distorted), true_log_odds, atol=0.35)


def test_a_network_that_ranks_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="Higher log-odds"):
        fit_platt(np.array([3.0, 2.0, -2.0, -3.0, 1.0, -1.0]), np.array([0, 0, 1, 1, 1, 0]))


def test_the_threshold_is_the_highest_that_keeps_the_sensitivity() -> None:
    positives = np.linspace(0.005, 0.995, 100)
    probabilities = np.concatenate([positives, np.zeros(50) + 0.001])
    targets = np.concatenate([np.ones(100, int), np.zeros(50, int)])
    thresholds = choose_thresholds(probabilities, targets)
    threshold = thresholds.decision_threshold
    assert (positives >= threshold).mean() >= WANTED_SENSITIVITY
    assert (positives >= threshold + 0.011).mean() < WANTED_SENSITIVITY
    lower, upper = thresholds.indeterminate_band
    assert lower < threshold < upper
    assert (positives >= lower).mean() >= 0.99
    assert (positives >= upper).mean() >= 0.95 > (positives >= upper + 0.011).mean()


def test_figures_of_a_hand_made_case() -> None:
    probabilities = np.array([0.1, 0.4, 0.6, 0.2, 0.7, 0.9])
    targets = np.array([0, 0, 0, 1, 1, 1])
    figures = evaluate_judgements(Judgements.at_threshold(probabilities, 0.5), targets, list("abcdef"))
    # Of nine pairs the pneumonia is ahead in seven: 0.2 is behind 0.4 and 0.6.
    assert figures["auc"] == pytest.approx(7 / 9, abs=1e-4)
    assert [figures[k] for k in ("true_negatives", "false_positives", "false_negatives", "true_positives")] == [
        2,
        1,
        1,
        2,
    ]
    assert figures["sensitivity"] == figures["specificity"] == pytest.approx(2 / 3, abs=1e-4)
    squares = [0.01, 0.16, 0.36, 0.64, 0.09, 0.01]
    assert figures["brier"] == pytest.approx(sum(squares) / 6, abs=1e-4)


def test_intervals_are_over_patients_and_not_over_images() -> None:
    """Ten copies of every image of a patient add no knowledge, so the interval must not shrink."""
    generator = np.random.default_rng(1)
    targets = np.array([0, 1] * 20)
    probabilities = np.clip(targets * 0.2 + generator.random(40) * 0.8, 0, 1)
    patients = [f"p{k}" for k in range(40)]
    once = evaluate_judgements(Judgements.at_threshold(probabilities, 0.5), targets, patients)["auc_95"]
    tenfold = Judgements.at_threshold(np.repeat(probabilities, 10), 0.5)
    copied = evaluate_judgements(tenfold, np.repeat(targets, 10), [p for p in patients for _ in range(10)])
    assert copied["auc_95"] == pytest.approx(once, abs=1e-9)


def test_scores_probabilities_and_calls_each_give_their_own_figures() -> None:
    """As in cross-fitting, where ranks, probabilities and calls do not follow from one another."""
    judgements = Judgements(
        scores=np.array([-3.0, 5.0, 1.0, 9.0]),
        probabilities=np.array([0.5, 0.5, 0.5, 0.5]),
        calls=np.array([1, 0, 1, 1]),
    )
    figures = evaluate_judgements(judgements, np.array([0, 0, 1, 1]), list("abcd"))
    assert figures["auc"] == 0.75  # of four pairs one is the wrong way round
    assert figures["brier"] == 0.25
    assert (figures["sensitivity"], figures["specificity"]) == (1.0, 0.5)


def test_calibration_error_is_zero_for_true_frequencies_and_the_gap_for_false_ones() -> None:
    targets = np.array([0, 0, 0, 1])
    assert expected_calibration_error(np.full(4, 0.25), targets) == pytest.approx(0)
    assert expected_calibration_error(np.full(4, 0.65), targets) == pytest.approx(0.4)
