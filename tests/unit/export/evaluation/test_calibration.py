"""Calibration and thresholds on scores whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.evaluation.calibration import DEFAULT_POLICY, DecisionPolicy, Rule, choose_thresholds, fit_platt
from export.evaluation.metrics import (
    Judgements,
    auc_interval,
    balanced_figures,
    evaluate_judgements,
    expected_calibration_error,
    weighted_auc,
)


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
    assert DEFAULT_POLICY.rate == 0.97
    assert (positives >= threshold).mean() == 0.97
    assert (positives >= threshold + 2e-4).mean() < 0.97
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


def overlapping(seed: int = 2, n: int = 400) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities with ties, targets, and how often each image counts: 0 to 3 times."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, n)
    probabilities = np.round(1 / (1 + np.exp(-generator.normal(2.0 * targets - 1, 1.5))), 2).clip(0.02, 0.98)
    return probabilities, targets, generator.integers(0, 4, n)


def test_the_weighted_auc_is_scikit_learns() -> None:
    probabilities, targets, weights = overlapping()
    assert weighted_auc(probabilities, targets) == pytest.approx(roc_auc_score(targets, probabilities), abs=1e-12)
    expected = roc_auc_score(targets, probabilities, sample_weight=weights)
    assert weighted_auc(probabilities, targets, weights.astype(float)) == pytest.approx(expected, abs=1e-12)


def test_in_the_interval_of_the_auc_a_weight_is_so_many_copies() -> None:
    probabilities, targets, weights = overlapping()
    patients = [f"patient {i // 2}" for i in range(len(targets))]
    copies = np.repeat(np.arange(len(targets)), weights + 1)
    copied = auc_interval(probabilities[copies], targets[copies], [patients[i] for i in copies])
    assert auc_interval(probabilities, targets, patients, (weights + 1).astype(np.float64)) == pytest.approx(copied)
    assert auc_interval(probabilities, targets, patients) != pytest.approx(copied)


def test_a_weight_of_three_is_three_copies() -> None:
    """For every figure and fit that takes weights."""
    probabilities, targets, weights = overlapping()
    copies, copied = np.repeat(probabilities, weights), np.repeat(targets, weights)
    as_float = weights.astype(float)
    log_odds = np.log(probabilities / (1 - probabilities))
    weighted, repeated = fit_platt(log_odds, targets, as_float), fit_platt(np.repeat(log_odds, weights), copied)
    assert (weighted.slope, weighted.intercept) == pytest.approx((repeated.slope, repeated.intercept), abs=1e-4)
    for policy in (DEFAULT_POLICY, DecisionPolicy("specificity", 0.9), DecisionPolicy("youden", None)):
        assert choose_thresholds(probabilities, targets, policy, as_float) == choose_thresholds(copies, copied, policy)
    figures = balanced_figures(Judgements.at_threshold(probabilities, 0.4), targets, as_float)
    expected = evaluate_judgements(Judgements.at_threshold(copies, 0.4), copied, [str(k) for k in range(len(copies))])
    for name in ("auc", "sensitivity", "specificity", "expected_calibration_error"):
        assert figures[f"style_balanced_{name}"] == pytest.approx(expected[name], abs=1e-4)


def test_the_threshold_of_a_specificity_is_the_lowest_that_keeps_it() -> None:
    probabilities, targets, _ = overlapping()
    threshold = choose_thresholds(probabilities, targets, DecisionPolicy("specificity", 0.9)).decision_threshold
    negatives = probabilities[targets == 0]
    assert (negatives < threshold).mean() >= 0.9
    assert (negatives < threshold - 2e-4).mean() < 0.9


@pytest.mark.parametrize("rule", ["accuracy", "youden"])
def test_no_threshold_is_better_than_the_best(rule: Rule) -> None:
    probabilities, targets, _ = overlapping(seed=5)

    def value(threshold: float) -> float:
        calls = probabilities >= threshold
        if rule == "accuracy":
            return float((calls == targets).mean())
        return float(calls[targets == 1].mean() + (~calls)[targets == 0].mean())

    policy = DecisionPolicy(rule, None)
    threshold = choose_thresholds(probabilities, targets, policy).decision_threshold
    assert value(threshold) == pytest.approx(max(value(t) for t in np.arange(0.01, 0.99, 0.005)))


def test_the_band_holds_the_threshold_whatever_the_policy() -> None:
    probabilities, targets, _ = overlapping()
    for policy in (DecisionPolicy("sensitivity", 0.5), DecisionPolicy("sensitivity", 0.999)):
        thresholds = choose_thresholds(probabilities, targets, policy)
        lower, upper = thresholds.indeterminate_band
        assert lower <= thresholds.decision_threshold <= upper


@pytest.mark.parametrize(("rule", "rate"), [("sensitivity", None), ("sensitivity", 1.0), ("youden", 0.9)])
def test_a_policy_that_makes_no_sense_is_refused(rule: Rule, rate: float | None) -> None:
    with pytest.raises(ValueError, match="rate"):
        DecisionPolicy(rule, rate)


def test_a_policy_is_told_in_words() -> None:
    assert DecisionPolicy("sensitivity", 0.95).describe().startswith("highest threshold with sensitivity >= 0.95 on")
    assert "highest accuracy" in DecisionPolicy("accuracy", None).describe()


def test_figures_that_no_image_speaks_of_are_none() -> None:
    figures = evaluate_judgements(Judgements.at_threshold(np.array([0.2, 0.8]), 0.5), np.array([1, 1]), ["a", "b"])
    assert (figures["auc"], figures["auc_95"], figures["specificity"]) == (None, None, None)
    assert (figures["sensitivity"], figures["recall"], figures["precision"]) == (0.5, 0.5, 1.0)
