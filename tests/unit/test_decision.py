"""The decision rule, held against odds computed in decimal arithmetic."""

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.decision import DecisionRule, decision_rule
from api.errors import NotReady
from api.types import SiteDecision
from serving.backend import BackendProtocolError, ModelSpec

RELEASE: dict[str, Any] = {
    "labels": ["NORMAL", "PNEUMONIA"],
    "decision_threshold": 0.4,
    "indeterminate_band": [0.35, 0.5],
    "prevalence": 0.6,
}
PREVALENCES = [None, 0.001, 0.05, 0.6, 0.999]


def classifier(**release: Any) -> ModelSpec:
    return ModelSpec("classifier", "3", (), (), 64, {**RELEASE, **release})


def rule_of(prevalence: float | None = None, decision_threshold: float | None = None) -> DecisionRule:
    return decision_rule(classifier(), SiteDecision(prevalence, decision_threshold))


def exactly(log_odds: float, prevalence: float | None) -> dict[str, float]:
    """Both probabilities by Bayes' rule: the model's odds times the ratio of the prior odds."""
    with localcontext() as context:
        context.prec = 60
        wanted, published = Decimal(str(prevalence or 0.6)), Decimal("0.6")
        odds = Decimal(log_odds).exp() * wanted / (1 - wanted) / (published / (1 - published))
        return {"NORMAL": float(1 / (1 + odds)), "PNEUMONIA": float(odds / (1 + odds))}


def softmax(log_odds: float) -> NDArray[np.float32]:
    """Both probabilities in single precision, as a graph computes them."""
    powers = np.exp(np.array([min(0.0, -log_odds), min(0.0, log_odds)], np.float32))
    return np.asarray(powers / powers.sum(), np.float32)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize("prevalence", PREVALENCES)
@pytest.mark.parametrize("log_odds", [-80.0, -20.0, -3.0, -0.4, 0.0, 0.7, 5.0, 20.0, 80.0])
def test_probabilities_are_those_of_the_site_even_where_one_is_all_but_certain(
    log_odds: float, prevalence: float | None
) -> None:
    prediction = rule_of(prevalence).decide(softmax(log_odds))
    assert prediction.probabilities == pytest.approx(exactly(log_odds, prevalence), rel=1e-5, abs=0)
    assert list(prediction.probabilities) == ["NORMAL", "PNEUMONIA"]
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert prediction.probability == prediction.probabilities[prediction.label]
    assert prediction.prevalence == (prevalence or 0.6)


def test_certainty_stays_certainty() -> None:
    for prevalence in PREVALENCES:
        sure = rule_of(prevalence).decide(np.array([0, 1], np.float32))
        assert (sure.label, sure.probabilities) == ("PNEUMONIA", {"NORMAL": 0, "PNEUMONIA": 1})
        never = rule_of(prevalence).decide(np.array([1, 0], np.float32))
        assert (never.label, never.probabilities) == ("NORMAL", {"NORMAL": 1, "PNEUMONIA": 0})


def test_threshold_and_band_go_along_with_the_prevalence() -> None:
    """Odds of 0.4 are 2/3; prior odds fall from 3/2 to 1/19, by 2/57: 4/171 remain, a probability of 4/175."""
    rule = rule_of(0.05)
    assert rule.decision_threshold == pytest.approx(4 / 175)
    # The same for 0.35, odds 7/13, and for 0.5, odds 1.
    assert rule.indeterminate_band == pytest.approx((14 / 755, 2 / 59))


@pytest.mark.parametrize("prevalence", PREVALENCES)
def test_a_prevalence_alone_changes_no_label_and_no_doubt(prevalence: float | None) -> None:
    for probability in np.linspace(0.001, 0.999, 999):
        if min(abs(probability - bound) for bound in (0.35, 0.4, 0.5)) > 1e-6:
            prediction = rule_of(prevalence).decide(np.array([1 - probability, probability]))
            assert prediction.label == ("PNEUMONIA" if probability >= 0.4 else "NORMAL")
            assert prediction.indeterminate == (0.35 <= probability <= 0.5)


def test_as_published_nothing_moves() -> None:
    rule = rule_of()
    assert (rule.decision_threshold, rule.indeterminate_band, rule.prevalence) == (0.4, (0.35, 0.5), 0.6)
    assert decision_rule(classifier()) == rule


@pytest.mark.parametrize("prevalence", PREVALENCES)
def test_a_threshold_of_the_site_holds_on_the_shifted_probability_and_takes_the_band_along(
    prevalence: float | None,
) -> None:
    rule = rule_of(prevalence, 0.7)
    assert rule.decision_threshold == 0.7
    for bound, published in zip(rule.indeterminate_band, (0.35, 0.5), strict=True):
        assert logit(bound) - logit(0.7) == pytest.approx(logit(published) - logit(0.4))
    for log_odds in (-4.0, 0.1, 2.0, 4.0):
        expected = exactly(log_odds, prevalence)["PNEUMONIA"]
        assert rule.decide(softmax(log_odds)).label == ("PNEUMONIA" if expected >= 0.7 else "NORMAL")


def test_a_band_may_be_open() -> None:
    rule = decision_rule(classifier(indeterminate_band=[0, 1]), SiteDecision(0.05, 0.9))
    assert rule.indeterminate_band == (0, 1)


def test_labels_may_come_in_either_order() -> None:
    rule = decision_rule(classifier(labels=["PNEUMONIA", "NORMAL"]), SiteDecision(prevalence=0.05))
    assert rule.decide(softmax(1.0)[::-1]).probabilities == pytest.approx(exactly(1.0, 0.05), rel=1e-5)


def test_a_prevalence_needs_one_to_start_from() -> None:
    model = classifier(prevalence=None)
    assert decision_rule(model, SiteDecision(decision_threshold=0.3)).prevalence is None
    with pytest.raises(NotReady, match="CXR_PREVALENCE must be empty with 'classifier' version 3"):
        decision_rule(model, SiteDecision(prevalence=0.05))


@pytest.mark.parametrize("prevalence", [0, 1, -0.1, "half", float("nan"), [0.5]])
def test_a_published_prevalence_that_is_none_breaks_the_contract(prevalence: object) -> None:
    with pytest.raises(BackendProtocolError):
        decision_rule(classifier(prevalence=prevalence))


@pytest.mark.parametrize(
    "probabilities", [(0.0, 0.0), (0.5, 0.6), (0.2, 0.3, 0.5), (1.0,), (-0.1, 1.1), (math.nan, 0.5)]
)
def test_what_is_no_distribution_is_refused(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(BackendProtocolError):
        rule_of().decide(np.array(probabilities, np.float32))
