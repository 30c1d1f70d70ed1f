"""What every document says of an answer in the same words."""

from collections.abc import Mapping

from api.types import POSITIVE_LABEL, Prediction, Report

_WARNINGS: Mapping[str, str] = {
    "rotated": "The image seems to be rotated.",
    "inverted": "The image seems to be inverted.",
    "lateral": "The image seems to be a lateral view.",
    "mirrored": "The image is said to be mirrored.",
    "unlike_training_data": "The image is unlike those that the model was trained on.",
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


def rule_of(prediction: Prediction) -> str:
    """Say how the probability becomes a label."""
    threshold = f"{prediction.decision_threshold:g}"
    return (
        f"{POSITIVE_LABEL} from the decision threshold of {threshold} on; below it NORMAL, that is, pneumonia absent."
    )


def warnings_of(report: Report) -> list[str]:
    """List what is unusual about the image, or that nobody has looked."""
    if report.quality is None:
        return ["It was not checked whether the image is a chest radiograph."]
    return [_WARNINGS.get(code, f"{code.replace('_', ' ')}.") for code in report.quality.warnings]


def number(value: float) -> str:
    """Write a probability with up to four decimals."""
    return f"{round(value, 4):g}"
