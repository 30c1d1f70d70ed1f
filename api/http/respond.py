"""From the pipeline's report to the JSON of the contract."""

import base64
from typing import Any

from api.catalogue import evaluation, identity, input_size
from api.http.schemas import (
    BoundingBoxOut,
    ExplainOut,
    ExplanationsOut,
    GradientOut,
    HeatmapOut,
    InputOut,
    ModelCardOut,
    ModelOut,
    PictureOut,
    PredictionOut,
    PredictOut,
    SilhouetteOut,
    TimingsOut,
)
from api.types import BoundingBox, EncodedImage, Explanation, GradientFinding, Report, SilhouetteFinding
from serving.backend import ModelSpec


def predict_out(report: Report, request_id: str) -> PredictOut:
    """Answer of `/v1/predict`."""
    return PredictOut(request_id=request_id, **_judgement(report))


def explain_out(report: Report, request_id: str) -> ExplainOut:
    """Answer of `/v1/explain`; methods that were not asked for, or not needed for NORMAL, are left out."""
    blocks = {name: _explanation_out(explanation) for name, explanation in (report.explanations or {}).items()}
    return ExplainOut(request_id=request_id, explanations=ExplanationsOut.model_validate(blocks), **_judgement(report))


def model_card_out(model: ModelSpec) -> ModelCardOut:
    """One entry of `/v1/models`."""
    height, width = input_size(model)
    figures = evaluation(model)
    return ModelCardOut(
        name=model.name,
        version=model.version,
        architecture=identity(model).architecture,
        input_size={"height": height, "width": width},
        decision_threshold=model.release.get("decision_threshold"),
        evaluation=None if figures is None else dict(figures),
    )


def _judgement(report: Report) -> dict[str, Any]:
    model, image, prediction = report.model, report.radiograph, report.prediction
    return {
        "model": ModelOut(name=model.name, version=model.version, architecture=model.architecture),
        "input": InputOut(format=image.format, width=image.width, height=image.height, bit_depth=image.bit_depth),
        "prediction": PredictionOut(
            label=prediction.label,
            probability=prediction.probability,
            indeterminate=prediction.indeterminate,
            probabilities=dict(prediction.probabilities),
            decision_threshold=prediction.decision_threshold,
        ),
        "timings_ms": TimingsOut(**report.timings_ms),
    }


def _explanation_out(explanation: Explanation) -> SilhouetteOut | GradientOut:
    if isinstance(explanation.finding, SilhouetteFinding):
        return _silhouette_out(explanation, explanation.finding)
    return _gradient_out(explanation, explanation.finding)


def _silhouette_out(explanation: Explanation, finding: SilhouetteFinding) -> SilhouetteOut:
    return SilhouetteOut(
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=_box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        overlay=_picture_out(explanation.overlay),
    )


def _gradient_out(explanation: Explanation, finding: GradientFinding) -> GradientOut:
    return GradientOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=_box_out(explanation.bounding_box),
        constant=finding.constant,
        overlay=_picture_out(explanation.overlay),
        heatmap=_heatmap_out(explanation.heatmap),
    )


def _box_out(box: BoundingBox | None) -> BoundingBoxOut | None:
    return None if box is None else BoundingBoxOut(x=box.x, y=box.y, width=box.width, height=box.height)


def _picture_out(image: EncodedImage) -> PictureOut:
    return PictureOut(
        media_type=image.media_type, width=image.width, height=image.height, data=base64.b64encode(image.data).decode()
    )


def _heatmap_out(image: EncodedImage | None) -> HeatmapOut | None:
    if image is None or image.value_range is None:
        return None
    return HeatmapOut(range=image.value_range, **_picture_out(image).model_dump())
