"""What every document says of an answer in the same words."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from api.reports.receipt import probability_of_pneumonia
from api.types import DISCLAIMER, POSITIVE_LABEL, Prediction, Receipt, Report

Presence: TypeAlias = Literal["present", "absent", "indeterminate"]

_WARNINGS: Mapping[str, str] = {
    "rotated": "The image seems to be rotated.",
    "inverted": "The image seems to be inverted.",
    "lateral": "The image seems to be a lateral view.",
    "mirrored": "The image is said to be mirrored.",
    "unlike_training_data": "The image is unlike those that the model was trained on.",
    "orientation_unknown": "The DICOM object does not clearly say how the image is oriented.",
    "lungs_not_found": "No lungs were found in the image.",
    "not_a_chest_radiograph": "The image does not look like a chest radiograph.",
    "view_unknown": "The DICOM object does not say whether this is a frontal view.",
    "body_part_unknown": "The DICOM object does not say that this is a chest.",
    "modality_unknown": "The DICOM object does not say that this is a radiograph.",
    "other_body_part": "The DICOM object says that this is another part of the body.",
    "not_a_radiograph": "The DICOM object says that this is no radiograph.",
    "burned_in_annotation": "The DICOM object says that there is text in the image.",
    "for_processing": "The DICOM object says that the image is meant for processing, not for presentation.",
}


def presence_of(said: Prediction | Receipt) -> Presence:
    """Tell what is said of pneumonia. NORMAL means that it is absent, and nothing else."""
    if said.indeterminate:
        return "indeterminate"
    return "present" if said.label == POSITIVE_LABEL else "absent"


def conclusion_of(report: Report) -> str:
    """Say what was found and how surely, what the explanations come to, and that a clinician must confirm it."""
    explained = () if report.assessment is None else (report.assessment.text,)
    return " ".join((_answer(report), *explained, *warnings_of(report), DISCLAIMER))


def rule_of(prediction: Prediction) -> str:
    """Say how the probability becomes a label, and whether it is too close to the threshold for that."""
    threshold = f"{prediction.decision_threshold:g}"
    here = ", as it is here" if prediction.indeterminate else ""
    return (
        f"{POSITIVE_LABEL} from the decision threshold of {threshold} on; below it NORMAL, that is, pneumonia absent. "
        f"Close to the threshold pneumonia is undetermined, whatever the label{here}."
    )


def warnings_of(report: Report) -> list[str]:
    """List what is unusual about the image, or that nobody has looked."""
    if report.quality is None:
        return ["It was not checked whether the image is a chest radiograph."]
    return [_WARNINGS.get(code, f"{code.replace('_', ' ')}.") for code in report.quality.warnings]


def number(value: float) -> str:
    """Write a probability with up to four decimals."""
    return f"{round(value, 4):g}"


def _answer(report: Report) -> str:
    prediction = report.prediction
    probability = number(probability_of_pneumonia(report.receipt))
    figures = (
        f"The probability of pneumonia is {probability}, the decision threshold {prediction.decision_threshold:g}."
    )
    return f"Pneumonia {presence_of(prediction)} ({prediction.label}). {_meaning(presence_of(prediction))}{figures}"


def _meaning(presence: Presence) -> str:
    """Say what the label does not."""
    if presence == "indeterminate":
        return "The probability is too close to the decision threshold to rely on the label. "
    return "Nothing is said about other findings. " if presence == "absent" else ""
