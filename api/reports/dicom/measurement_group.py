"""The finding of an answer as a measurement group: TID 1410 with a region of the image, TID 1501 without (PS3.16)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highdicom.sc import SCImage
from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContentItem,
    ContentSequence,
    FindingSite,
    ImageContentItem,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)

from api.quality import HIDING_THE_PATIENTS_SIDES
from api.reports.dicom import codes
from api.reports.dicom.files import MANUFACTURER, Answer
from api.reports.dicom.source import Source
from api.reports.dicom.texts import plain, remarks, text_item
from api.reports.pictures import NamedPicture
from api.reports.receipt import canonical, probability_of_pneumonia
from api.reports.wording import Presence, presence_of
from api.types import AffectedRegion, OutlinedRegion, Receipt, Report, Side

Group = PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations

_DIGITS = 2  # of per cent: as many as in the receipt
_STANDARD = ("L", "F")  # where rows and columns run in an image hung as usual: to the patient's left, to the feet
_PRESENCE: Mapping[Presence, CodedConcept] = {
    "present": codes.PRESENT,
    "absent": codes.ABSENT,
    "indeterminate": codes.INDETERMINATE,
}
_STEPS_PER_PIXEL = 8  # of an outline: batching moves its last bits, and single precision holds eighths
_PATIENTS_SIDES: dict[Side, CodedConcept] = {"image_left": codes.RIGHT, "image_right": codes.LEFT}
# The rows of both templates in their order, which is significant; highdicom appends in another.
_ROWS = (
    "112039", "112040", "121071", "363698007", "111001", "111003", "122405", "111002", "111030", "130401", "111012",
    "121112", "121052", "121106",
)  # fmt: skip


def group_of(answer: Answer, report: Report, captures: Sequence[tuple[NamedPicture, SCImage]]) -> Group:
    """Say whether there is pneumonia, how certain that is, where the methods point to, and what explains it.

    No region is given where pneumonia is absent, as a viewer would draw it like a finding.
    """
    presence = presence_of(answer.receipt)
    region = None if presence == "absent" else report.affected_region
    # Of a finding that nobody asserts, no side can be.
    laterality = laterality_of(report, answer.source) if region and presence == "present" else None
    stated: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(answer.uid("tracking"), "Pneumonia"),
        "finding_type": codes.PNEUMONIA,
        "finding_sites": [FindingSite(codes.LUNG, laterality)],
        "algorithm_id": _algorithm(answer.receipt, report.model.architecture),
        "measurements": [_certainty(answer.receipt)],
        "qualitative_evaluations": [QualitativeEvaluation(codes.PRESENCE, _PRESENCE[presence])],
    }
    group: Group
    if region is None:
        image = SourceImageForMeasurementGroup(answer.source.class_uid, answer.source.instance_uid)
        group = MeasurementsAndQualitativeEvaluations(source_images=[image], **stated)
    else:
        outlined = _region(region, answer.source)
        group = PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=outlined, **stated)
    items = [
        *group[0].ContentSequence,
        *(_explanation(picture, capture) for picture, capture in captures),
        *(text_item(codes.COMMENT, text) for text in remarks(report, with_region=region is not None)),
    ]
    group[0].ContentSequence = ContentSequence(sorted(items, key=_row))
    return group


def certainty_of(receipt: Receipt) -> float:
    """Give the probability, in percent and rounded as in the receipt, of what is said of pneumonia.

    It is that of PNEUMONIA where pneumonia is present or undetermined, that of NORMAL where it is absent: a viewer
    shows it beside the presence, and "Absent, 9 %" would read as if it were most likely present.
    """
    probability = probability_of_pneumonia(receipt)
    return round(100 * (1 - probability if presence_of(receipt) == "absent" else probability), _DIGITS)


def _certainty(receipt: Receipt) -> Measurement:
    measurement = Measurement(codes.CERTAINTY, certainty_of(receipt), codes.PERCENT)
    # For what a decimal string cannot hold; here it would only bring in digits that are not meant.
    del measurement[0].MeasuredValueSequence[0].FloatingPointValue
    return measurement


def laterality_of(report: Report, source: Source) -> CodedConcept | None:
    """Tell which of the patient's lungs the affected region lies in.

    None if it lies in both, if the image does not say that it is hung as usual, with the patient's right on the
    viewer's left (Patient Orientation, PS3.3, section C.7.6.1.1.1), or if something makes that doubtful.
    """
    region = None if report.assessment is None else report.assessment.affected_region
    if not isinstance(region, AffectedRegion) or len(region.sides) != 1 or report.quality is None:
        return None
    hung_as_usual = tuple(direction[0] for direction in source.directions) == _STANDARD
    hidden = HIDING_THE_PATIENTS_SIDES & {*report.quality.warnings}
    return _PATIENTS_SIDES[region.sides[0]] if hung_as_usual and not hidden else None


def _algorithm(receipt: Receipt, architecture: str) -> AlgorithmIdentification:
    """Identify the algorithm, with the receipt as its parameters (TID 4019)."""
    proof = () if receipt.mac is None else (f"mac={receipt.mac}",)
    return AlgorithmIdentification(
        name=plain(f"{MANUFACTURER}: {receipt.model.name} ({architecture})"),
        version=plain(f"{receipt.service_version}, model {receipt.model.version}"),
        manufacturer=MANUFACTURER,
        parameters=[plain(canonical(receipt).decode("utf-8")), *proof],
    )


def _region(region: OutlinedRegion, source: Source) -> ImageRegion:
    """Outline a region, in pixels from the upper left corner of the image (PS3.3, section C.18.6.1.1)."""
    outline = np.round(np.asarray(region.polygon) * _STEPS_PER_PIXEL) / _STEPS_PER_PIXEL
    return ImageRegion("POLYLINE", outline, SourceImageForRegion(source.class_uid, source.instance_uid))


def _explanation(picture: NamedPicture, capture: SCImage) -> ImageContentItem:
    """Refer to the capture of a picture, with its type where there is a code for it.

    The templates give the reference no type. Elsewhere in the standard, codes of CID 217 are values of Quantity: of
    what a parametric map shows (PS3.3, section C.7.6.16.2.11; PS3.16, CID 218).
    """
    item = ImageContentItem(
        codes.VISUAL_EXPLANATION, capture.SOPClassUID, capture.SOPInstanceUID, relationship_type="CONTAINS"
    )
    modifiers: list[ContentItem] = [text_item(codes.ALGORITHM_NAME, picture.title, "HAS CONCEPT MOD")]
    if picture.method in codes.EXPLANATION_TYPES:
        kind = codes.EXPLANATION_TYPES[picture.method]
        modifiers.append(CodeContentItem(codes.QUANTITY, kind, relationship_type="HAS CONCEPT MOD"))
    item.ContentSequence = ContentSequence(modifiers)
    return item


def _row(item: ContentItem) -> int:
    return _ROWS.index(item.name.value)
