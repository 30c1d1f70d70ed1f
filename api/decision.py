"""How the classifier's probabilities become a label, as published with it and as the site wants it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.errors import NotReady
from api.types import POSITIVE_LABEL, Prediction, SiteDecision
from serving.backend import BackendProtocolError, ModelSpec

_AS_PUBLISHED = SiteDecision()
_TOLERANCE = 1e-3  # a softmax of float16 sums to 1 within it


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How probabilities become a label: labels in the order of the outputs, threshold and band on P(PNEUMONIA).

    `prior_shift` is added to the log-odds of the model's probabilities; threshold and band hold on the result, whose
    probabilities assume the share `prevalence` of PNEUMONIA, None if unknown.
    """

    labels: tuple[str, ...]
    decision_threshold: float
    indeterminate_band: tuple[float, float]
    prevalence: float | None = None
    prior_shift: float = 0.0

    def decide(self, probabilities: NDArray[np.floating]) -> Prediction:
        """Label one radiograph.

        Parameters
        ----------
        probabilities
            Calibrated probabilities in the order of `labels`, shape ``[2]``, 0 to 1, of sum 1.

        Raises
        ------
        BackendProtocolError
            These are no probabilities of the labels.
        """
        by_label = self._at_prevalence(probabilities)
        positive = by_label[POSITIVE_LABEL]
        label = POSITIVE_LABEL if positive >= self.decision_threshold else self._negative_label
        lower, upper = self.indeterminate_band
        return Prediction(
            label=label,
            probability=by_label[label],
            indeterminate=lower <= positive <= upper,
            probabilities=by_label,
            decision_threshold=self.decision_threshold,
            prevalence=self.prevalence,
        )

    @property
    def _negative_label(self) -> str:
        return next(label for label in self.labels if label != POSITIVE_LABEL)

    def _at_prevalence(self, probabilities: NDArray[np.floating]) -> Mapping[str, float]:
        """Shift the log-odds. Both probabilities are used: near 1, the log-odds live on in the small one alone."""
        if len(probabilities) != len(self.labels) or not _are_probabilities(probabilities):
            raise BackendProtocolError(f"There must be {len(self.labels)} probabilities in 0..1, of sum 1.")
        by_label = {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)}
        log_odds = _log(by_label[POSITIVE_LABEL]) - _log(by_label[self._negative_label]) + self.prior_shift
        shifted = {POSITIVE_LABEL: _logistic(log_odds), self._negative_label: _logistic(-log_odds)}
        return {label: shifted[label] for label in self.labels}


def decision_rule(model: ModelSpec, site: SiteDecision = _AS_PUBLISHED) -> DecisionRule:
    """Read the decision rule that was published with a classifier, and adapt it to a site.

    The site's prevalence p shifts log-odds by ``logit(p) - logit(published prevalence)`` (Saerens et al. 2002, Neural
    Computation 14:21, for two classes); threshold and band go along, so that labels stay. The site's threshold holds
    on the shifted probability, and the band moves with it, of the same width in log-odds.

    Raises
    ------
    BackendProtocolError
        The release lacks it, or it makes no sense.
    NotReady
        The site sets a prevalence, and the release has none to start from.
    """
    published = _published_rule(model)
    shift = _prior_shift(model, published.prevalence, site.prevalence)
    threshold, moved = _shifted(published.decision_threshold, shift), shift
    if site.decision_threshold is not None:
        threshold = site.decision_threshold
        moved = _logit(threshold) - _logit(published.decision_threshold)
    lower, upper = (_shifted(bound, moved) for bound in published.indeterminate_band)
    return DecisionRule(published.labels, threshold, (lower, upper), site.prevalence or published.prevalence, shift)


def _published_rule(model: ModelSpec) -> DecisionRule:
    try:
        labels = tuple(str(label) for label in model.release["labels"])
        lower, upper = (float(bound) for bound in model.release["indeterminate_band"])
        threshold = float(model.release["decision_threshold"])
        prevalence = _prevalence(model.release)
    except (KeyError, TypeError, ValueError) as error:
        raise BackendProtocolError(f"The release of {model.name!r} must hold a decision rule.") from error
    if POSITIVE_LABEL not in labels or len(labels) != 2 or not 0 < threshold < 1:
        raise BackendProtocolError(f"The decision rule of {model.name!r} must have two labels and a threshold in 0..1.")
    return DecisionRule(labels, threshold, (lower, upper), prevalence)


def _prevalence(release: Mapping[str, Any]) -> float | None:
    published = release.get("prevalence")
    if published is None:
        return None
    if not 0 < float(published) < 1:
        raise ValueError(f"prevalence must be between 0 and 1. Received: {published}")
    return float(published)


def _prior_shift(model: ModelSpec, published: float | None, wanted: float | None) -> float:
    if wanted is None:
        return 0.0
    if published is None:
        raise NotReady(
            f"CXR_PREVALENCE must be empty with {model.name!r} version {model.version}: "
            "its release holds no `prevalence` to start from."
        )
    return _logit(wanted) - _logit(published)


def _are_probabilities(values: NDArray[np.floating]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all() and abs(float(values.sum()) - 1) <= _TOLERANCE)


def _shifted(probability: float, shift: float) -> float:
    return _logistic(_logit(probability) + shift) if shift else probability


def _logit(probability: float) -> float:
    return _log(probability) - _log(1 - probability)


def _logistic(log_odds: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -log_odds)))


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
