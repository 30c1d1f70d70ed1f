"""The answers of `/v1/predict` and `/v1/explain`."""

from typing import Any

from api.http.respond.assessment import affected_region_out, agreement_out, trust_out
from api.http.respond.explanations import explanation_out
from api.http.schemas.answer import (
    ExplainOut,
    InputOut,
    ModelOut,
    PredictionOut,
    PredictOut,
    QualityOut,
    TimingsOut,
)
from api.http.schemas.explanations import ExplanationsOut
from api.http.schemas.receipt import ReceiptOut
from api.reports.receipt import as_document
from api.types import Quality, Report


def predict_out(report: Report, request_id: str) -> PredictOut:
    """Answer of `/v1/predict`."""
    return PredictOut(request_id=request_id, **_judgement(report))


def explain_out(report: Report, request_id: str) -> ExplainOut:
    """Answer of `/v1/explain`; methods that were not asked for, or not needed for NORMAL, are left out."""
    found = (report.explanations or {}).items()
    blocks = {name: explanation_out(explanation, report.radiograph) for name, explanation in found}
    return ExplainOut(
        request_id=request_id,
        explanations=ExplanationsOut.model_validate(blocks),
        agreement=agreement_out(report.assessment),
        affected_region=affected_region_out(report.assessment, report.affected_region),
        trust=trust_out(report.assessment),
        **_judgement(report),
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
            prevalence=prediction.prevalence,
        ),
        "quality": _quality_out(report.quality),
        "timings_ms": TimingsOut(**report.timings_ms),
        "receipt": ReceiptOut.model_validate(as_document(report.receipt)),
    }


def _quality_out(quality: Quality | None) -> QualityOut | None:
    if quality is None:
        return None
    return QualityOut(is_chest_xray=quality.is_chest_xray, score=quality.score, warnings=list(quality.warnings))
