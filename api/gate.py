"""The input gate as published: which outputs are its evidence, the limits on them, and how a refusal is worded."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.quality import LUNGS_NOT_FOUND, UNLIKE_TRAINING_DATA, assess
from api.types import Answer, GateLimits, Quality
from serving.backend import BackendProtocolError, ModelSpec

CLASSIFIER_OUTPUTS = ("ood_score", "presentation")
MASK = "mask"
_TOLERANCE = 1e-3
_FINDINGS: Mapping[str, str] = {
    UNLIKE_TRAINING_DATA: "it is unlike the radiographs that the model has learned from",
    LUNGS_NOT_FOUND: "no lungs were found in it",
}


@dataclass(frozen=True, slots=True)
class InputGate:
    """Judges the models' answers about one image. `presentations` names the elements of `presentation`."""

    presentations: tuple[str, ...]
    limits: GateLimits

    def judge(self, classifier: Answer, segmenter: Answer | None = None) -> Quality:
        """Judge whether an image is a chest radiograph.

        Parameters
        ----------
        classifier
            The answer to a batch of this image: `ood_score` ``[1, 1]`` and `presentation` ``[1, K]``, 0 to 1.
        segmenter
            The same of the lung segmenter: `mask` ``[1, H, W]``, 0 to 1; None if there is none.

        Raises
        ------
        BackendProtocolError
            A probability is none, or `presentation` has another length than its labels.
        """
        shares = classifier["presentation"][0]
        mask = None if segmenter is None else segmenter[MASK][0]
        for values in (shares, mask):
            if values is not None and not ((values >= -_TOLERANCE) & (values <= 1 + _TOLERANCE)).all():
                raise BackendProtocolError("`presentation` and `mask` must be in 0..1.")
        if len(shares) != len(self.presentations):
            raise BackendProtocolError(f"`presentation` must have {len(self.presentations)} elements.")
        presentation = {label: float(share) for label, share in zip(self.presentations, shares, strict=True)}
        return assess(float(classifier["ood_score"][0, 0]), presentation, mask, self.limits)


def gives_evidence(classifier: ModelSpec) -> bool:
    """Tell whether a classifier has the outputs of the gate; older versions do not."""
    return {output.name for output in classifier.outputs}.issuperset(CLASSIFIER_OUTPUTS)


def input_gate(classifier: ModelSpec, segmenter: ModelSpec | None) -> InputGate:
    """Read the gate that was published with a classifier and a lung segmenter, without which every mask passes.

    Raises
    ------
    BackendProtocolError
        A release lacks its part, or it makes no sense.
    """
    try:
        presentations = tuple(str(label) for label in classifier.release["presentations"])
        lungs = None if segmenter is None else segmenter.release["plausible_lungs"]
        limits = _limits(classifier.release["ood_limits"], lungs)
    except (KeyError, TypeError, ValueError) as error:
        raise BackendProtocolError("The releases of classifier and segmenter must hold the gate's limits.") from error
    if not 0 < limits.refuse - limits.unlike < math.inf:
        raise BackendProtocolError("`ood_limits` must have `unlike` below `refuse`.")
    return InputGate(presentations, limits)


def _limits(ood: Mapping[str, Any], lungs: Mapping[str, Any] | None) -> GateLimits:
    unlike, refuse = float(ood["unlike"]), float(ood["refuse"])
    if lungs is None:
        return GateLimits(unlike, refuse)
    smallest, largest = (float(area) for area in lungs["area"])
    return GateLimits(unlike, refuse, (smallest, largest), float(lungs["uncertainty"]))


def refusal(quality: Quality) -> str:
    """Say why an image is refused, and what to send instead."""
    found = [_FINDINGS[warning] for warning in quality.warnings if warning in _FINDINGS]
    received = f" Received: an image that does not look like one: {'; '.join(found)}." if found else ""
    return f"The image must be a chest radiograph.{received} Send a frontal view, upright, with bones white."
