"""What a Bundle says in plain sentences."""

from api.reports.fhir.verdict import verdict_of
from api.reports.wording import number, warnings_of
from api.types import DISCLAIMER, POSITIVE_LABEL, Prediction, Report

NO_DISEASE_SHOWN = "The picture shows what a method points to, not that there is disease."


def conclusion_of(report: Report) -> str:
    """Say what was found and how surely, what the explanations come to, and that a clinician must confirm it."""
    explained = () if report.assessment is None else (report.assessment.text,)
    return " ".join((_answer(report.prediction), *explained, *warnings_of(report), DISCLAIMER))


def notes_of(report: Report) -> list[str]:
    """List what to know about a finding: the disclaimer, then what is unusual about the image."""
    return [DISCLAIMER, *warnings_of(report)]


def _answer(prediction: Prediction) -> str:
    probability = number(prediction.probabilities[POSITIVE_LABEL])
    figures = (
        f"The probability of pneumonia is {probability}, the decision threshold {prediction.decision_threshold:g}."
    )
    return f"{verdict_of(prediction).words} ({prediction.label}). {_meaning(prediction)}{figures}"


def _meaning(prediction: Prediction) -> str:
    """Say what the label does not."""
    if prediction.indeterminate:
        return "The probability is too close to the decision threshold to rely on the label. "
    return "" if prediction.label == POSITIVE_LABEL else "Nothing is said about other findings. "
