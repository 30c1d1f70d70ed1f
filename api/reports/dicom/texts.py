"""What a structured report says in words: plain sentences for whoever reads it."""

from collections.abc import Iterator, Mapping

from highdicom.sr import CodedConcept, TextContentItem

from api.reports.dicom import codes
from api.reports.wording import Presence, conclusion_of, presence_of, rule_of, warnings_of
from api.types import DISCLAIMER, Finding, OcclusionFinding, Report, SilhouetteFinding, SilhouetteGridFinding

_CERTAINTY: Mapping[Presence, str] = {
    "present": "The certainty is the calibrated probability of pneumonia in percent.",
    "absent": "The certainty is that of the absence: the calibrated probability of no pneumonia in percent.",
    "indeterminate": "The certainty is the calibrated probability of pneumonia in percent; it decides nothing here.",
}
_REGION = "The image region is the part of the lungs that most methods point to, which is no proof of disease there."
_POINTED_AT = "{method} names the region {region}; sides are the viewer's."


def plain(text: str) -> str:
    """Keep to ASCII, which is part of every character set that an image may be in; others become question marks."""
    return text.encode("ascii", "replace").decode("ascii")


def text_item(name: CodedConcept, text: str, relationship: str = "CONTAINS") -> TextContentItem:
    """Make a content item of text."""
    return TextContentItem(name=name, value=plain(text), relationship_type=relationship)


def summary_items(report: Report) -> tuple[TextContentItem, ...]:
    """Say what the whole report comes to, what is unusual about the image, and what it must not be used for."""
    unusual = warnings_of(report) or ["Nothing unusual was noticed."]
    return (
        text_item(codes.SUMMARY, conclusion_of(report)),
        text_item(codes.IMAGE_QUALITY, " ".join(unusual)),
        text_item(codes.COMMENT, DISCLAIMER),
    )


def remarks(report: Report, *, with_region: bool) -> Iterator[str]:
    """Say how the figures and the region are meant, and which regions the methods name."""
    prediction = report.prediction
    yield f"{_CERTAINTY[presence_of(prediction)]} {rule_of(prediction)}{_prevalence(prediction.prevalence)}"
    if with_region:
        yield _REGION
    for method, explanation in (report.explanations or {}).items():
        region = _named_region(explanation.finding)
        if region is not None:
            yield _POINTED_AT.format(method=method.capitalize(), region=region)


def _prevalence(prevalence: float | None) -> str:
    if prevalence is None:
        return ""
    return f" The probability assumes that {100 * prevalence:g} % of the radiographs show pneumonia."


def _named_region(finding: Finding) -> str | None:
    match finding:
        case SilhouetteFinding(quadrant=quadrant):
            return quadrant
        case SilhouetteGridFinding(winner=named) | OcclusionFinding(strongest=named):
            return named.name if named else None
        case _:
            return None
