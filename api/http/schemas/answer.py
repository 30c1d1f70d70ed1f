"""The answers of `/v1/predict` and `/v1/explain`."""

from typing import Annotated, Literal

from pydantic import Field

from api.http.schemas.assessment import AffectedRegionOut, AgreementOut, TrustOut
from api.http.schemas.base import Schema
from api.http.schemas.explanations import ExplanationsOut
from api.http.schemas.receipt import ReceiptOut
from api.types import DISCLAIMER


class ModelOut(Schema):
    """Which model judged."""

    name: str
    version: str
    architecture: str


class InputOut(Schema):
    """The image as sent, after EXIF orientation. `bit_depth` is what a DICOM object calls Bits Stored."""

    format: Literal["dicom", "jpeg", "png"]
    width: int
    height: int
    bit_depth: int


class PredictionOut(Schema):
    """The classifier's calibrated answer. `decision_threshold` is on P(PNEUMONIA).

    Both hold for the share `prevalence` of PNEUMONIA among the radiographs; null if it was not published.
    """

    label: str
    probability: Annotated[float, Field(ge=0, le=1)]
    indeterminate: bool
    probabilities: dict[str, float]
    decision_threshold: float
    prevalence: float | None


class QualityOut(Schema):
    """Whether the image is a chest radiograph; `score` is 0.5 where it would just be refused, 1 well inside.

    `warnings` are codes. From the pixels: `rotated`, `inverted`, `lateral`, `unlike_training_data`, `lungs_not_found`,
    `not_a_chest_radiograph`. From the tags of a DICOM object: `view_unknown`, `body_part_unknown`, `modality_unknown`
    where they say nothing, `burned_in_annotation`, `for_processing`, `rotated`, `mirrored`, `orientation_unknown`, and
    while the input gate is off `lateral`, `other_body_part`, `not_a_radiograph`.
    """

    is_chest_xray: bool
    score: Annotated[float, Field(ge=0, le=1)]
    warnings: list[str]


class TimingsOut(Schema):
    """Milliseconds of wall-clock time per stage."""

    decode: float
    preprocess: float
    inference: float
    explain: float
    render: float
    total: float


class PredictOut(Schema):
    """Answer of `/v1/predict`. `quality` is null only with the input gate off and models that cannot tell."""

    request_id: str
    disclaimer: str = DISCLAIMER
    model: ModelOut
    input: InputOut
    prediction: PredictionOut
    quality: QualityOut | None
    timings_ms: TimingsOut
    receipt: ReceiptOut


class ExplainOut(PredictOut):
    """Answer of `/v1/explain`.

    Without explanations, the last three are null; `agreement` is so too if fewer than two methods say anything.
    """

    explanations: ExplanationsOut
    agreement: AgreementOut | None
    affected_region: AffectedRegionOut | None
    trust: TrustOut | None
