"""From the pipeline's report to the JSON of the contract."""

import base64
from typing import Any

from api.catalogue import evaluation, identity, input_size
from api.decision import decision_rule
from api.errors import NotReady
from api.http.schemas import (
    BoundingBoxOut,
    DecisionOut,
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
    QualityOut,
    ScaledMapOut,
    SilhouetteOut,
    TimingsOut,
)
from api.types import (
    BoundingBox,
    EncodedImage,
    Explanation,
    GradientFinding,
    MapFinding,
    Quality,
    Report,
    SilhouetteFinding,
    SiteDecision,
)
from serving.backend import BackendProtocolError, ModelSpec


def predict_out(report: Report, request_id: str) -> PredictOut:
    """Answer of `/v1/predict`."""
    return PredictOut(request_id=request_id, **_judgement(report))


def explain_out(report: Report, request_id: str) -> ExplainOut:
    """Answer of `/v1/explain`; methods that were not asked for, or not needed for NORMAL, are left out."""
    blocks = {name: _explanation_out(explanation) for name, explanation in (report.explanations or {}).items()}
    return ExplainOut(request_id=request_id, explanations=ExplanationsOut.model_validate(blocks), **_judgement(report))


def model_card_out(model: ModelSpec, site: SiteDecision) -> ModelCardOut:
    """One entry of `/v1/models`: what was published, and what the site's settings make of it."""
    height, width = input_size(model)
    figures = evaluation(model)
    return ModelCardOut(
        name=model.name,
        version=model.version,
        architecture=identity(model).architecture,
        input_size={"height": height, "width": width},
        decision_threshold=model.release.get("decision_threshold"),
        prevalence=model.release.get("prevalence"),
        in_force=_in_force(model, site),
        evaluation=None if figures is None else dict(figures),
    )


def _in_force(model: ModelSpec, site: SiteDecision) -> DecisionOut | None:
    try:
        rule = decision_rule(model, site)
    except (BackendProtocolError, NotReady):
        return None  # it decides nothing, or cannot be used with these settings: `/readyz` tells
    return DecisionOut(decision_threshold=rule.decision_threshold, prevalence=rule.prevalence)


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
            prevalence=prediction.prevalence,
        ),
        "quality": _quality_out(report.quality),
        "timings_ms": TimingsOut(**report.timings_ms),
    }


def _quality_out(quality: Quality | None) -> QualityOut | None:
    if quality is None:
        return None
    return QualityOut(is_chest_xray=quality.is_chest_xray, score=quality.score, warnings=list(quality.warnings))


def _explanation_out(explanation: Explanation) -> SilhouetteOut | GradientOut | ScaledMapOut:
    match explanation.finding:
        case SilhouetteFinding() as finding:
            return _silhouette_out(explanation, finding)
        case GradientFinding() as finding:
            return _gradient_out(explanation, finding)
        case MapFinding() as finding:
            return _scaled_map_out(explanation, finding)


def _silhouette_out(explanation: Explanation, finding: SilhouetteFinding) -> SilhouetteOut:
    return SilhouetteOut(
        half=finding.half,
        quadrant=finding.quadrant,
        bounding_box=_box_out(explanation.bounding_box),
        scores=dict(finding.scores),
        overlay=_overlay_out(explanation),
    )


def _gradient_out(explanation: Explanation, finding: GradientFinding) -> GradientOut:
    return GradientOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=_box_out(explanation.bounding_box),
        constant=finding.constant,
        overlay=_overlay_out(explanation),
        heatmap=_heatmap_out(explanation.heatmap),
    )


def _scaled_map_out(explanation: Explanation, finding: MapFinding) -> ScaledMapOut:
    return ScaledMapOut(
        threshold=finding.threshold,
        coverage=finding.coverage,
        bounding_box=_box_out(explanation.bounding_box),
        constant=finding.constant,
        non_finite=finding.non_finite,
        scale=(0.0, finding.scale.upper),
        unit=finding.scale.unit,
        overlay=_overlay_out(explanation) if finding.drawable else None,
        heatmap=_heatmap_out(explanation.heatmap),
    )


def _box_out(box: BoundingBox | None) -> BoundingBoxOut | None:
    return None if box is None else BoundingBoxOut(x=box.x, y=box.y, width=box.width, height=box.height)


def _overlay_out(explanation: Explanation) -> PictureOut:
    if explanation.overlay is None:
        raise ValueError("There must be an overlay of a finding that can be drawn.")
    return _picture_out(explanation.overlay)


def _picture_out(image: EncodedImage) -> PictureOut:
    return PictureOut(
        media_type=image.media_type, width=image.width, height=image.height, data=base64.b64encode(image.data).decode()
    )


def _heatmap_out(image: EncodedImage | None) -> HeatmapOut | None:
    if image is None or image.value_range is None:
        return None
    return HeatmapOut(range=image.value_range, **_picture_out(image).model_dump())
