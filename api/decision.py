"""How the classifier's probabilities become a label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.types import Prediction
from serving.backend import BackendProtocolError, ModelSpec

POSITIVE_LABEL = "PNEUMONIA"


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How probabilities become a label: labels in the order of the outputs, threshold and band on P(PNEUMONIA)."""

    labels: tuple[str, ...]
    decision_threshold: float
    indeterminate_band: tuple[float, float]

    def decide(self, probabilities: NDArray[np.floating]) -> Prediction:
        """Label one radiograph.

        Parameters
        ----------
        probabilities
            Calibrated probabilities in the order of `labels`, shape ``[2]``, 0 to 1.

        Raises
        ------
        BackendProtocolError
            These are no probabilities of the labels.
        """
        if len(probabilities) != len(self.labels) or not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise BackendProtocolError(f"There must be {len(self.labels)} probabilities in 0..1.")
        by_label = {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)}
        positive = by_label[POSITIVE_LABEL]
        negative_label = next(label for label in self.labels if label != POSITIVE_LABEL)
        label = POSITIVE_LABEL if positive >= self.decision_threshold else negative_label
        lower, upper = self.indeterminate_band
        return Prediction(
            label=label,
            probability=by_label[label],
            indeterminate=lower <= positive <= upper,
            probabilities=by_label,
            decision_threshold=self.decision_threshold,
        )


def decision_rule(model: ModelSpec) -> DecisionRule:
    """Read the decision rule that was published with a classifier.

    Raises
    ------
    BackendProtocolError
        The release lacks it, or it makes no sense.
    """
    try:
        labels = tuple(str(label) for label in model.release["labels"])
        lower, upper = (float(bound) for bound in model.release["indeterminate_band"])
        rule = DecisionRule(labels, float(model.release["decision_threshold"]), (lower, upper))
    except (KeyError, TypeError, ValueError) as error:
        raise BackendProtocolError(f"The release of {model.name!r} must hold a decision rule.") from error
    if POSITIVE_LABEL not in labels or len(labels) != 2 or not 0 < rule.decision_threshold < 1:
        raise BackendProtocolError(f"The decision rule of {model.name!r} must have two labels and a threshold in 0..1.")
    return rule
