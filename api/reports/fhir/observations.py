"""Observations: the score, and the finding that follows from it."""

from api.reports.fhir.codes import IMAGING, LUNG, PNEUMONIA, PNEUMONIA_PROBABILITY, PNEUMONIA_RADLEX, UCUM
from api.reports.fhir.context import Context, link
from api.reports.fhir.elements import Json, concept, elements, narrative
from api.reports.fhir.verdict import verdict_of
from api.reports.fhir.wording import notes_of
from api.reports.receipt import probability_of_pneumonia
from api.reports.wording import number, rule_of
from api.types import Prediction


def score_id(context: Context) -> str:
    """Give the id of the score."""
    return context.id_of("Observation", "score")


def finding_id(context: Context) -> str:
    """Give the id of the finding."""
    return context.id_of("Observation", "finding")


def score(context: Context) -> Json:
    """Give the calibrated probability of pneumonia, 0 to 1, with what decides."""
    prediction = context.report.prediction
    probability = probability_of_pneumonia(context.report.receipt)
    return _observation(
        context,
        score_id(context),
        f"Probability of pneumonia: {number(probability)}. {rule_of(prediction)}",
        code=concept(PNEUMONIA_PROBABILITY, text="Probability of pneumonia"),
        valueQuantity={"value": probability, "unit": "1", "system": UCUM, "code": "1"},
        interpretation=[concept(verdict_of(prediction).interpretation)],
        note=_notes(context, *_prevalence(prediction)),
        referenceRange=[{"text": rule_of(prediction)}],
        derivedFrom=context.imaging_studies,
    )


def finding(context: Context) -> Json:
    """Give whether pneumonia is present, absent or undetermined; it is derived from the score."""
    verdict = verdict_of(context.report.prediction)
    return _observation(
        context,
        finding_id(context),
        f"{verdict.words}.",
        code=concept(PNEUMONIA, PNEUMONIA_RADLEX, text="Pneumonia"),
        valueCodeableConcept=concept(verdict.value, text=verdict.word),
        note=_notes(context),
        bodySite=concept(LUNG, text="Lungs"),
        derivedFrom=[link(score_id(context)), *context.imaging_studies],
    )


def _observation(context: Context, identifier: str, summary: str, **stated: object) -> Json:
    return elements(
        resourceType="Observation",
        id=identifier,
        meta=context.meta,
        text=narrative(summary, *notes_of(context.report)),
        basedOn=context.orders,
        status="preliminary",
        category=[concept(IMAGING)],
        subject=context.about,
        effectiveDateTime=context.acquired,
        device=link(context.device_id),
        **stated,
    )


def _notes(context: Context, *more: str) -> list[Json]:
    return [{"text": text} for text in (*notes_of(context.report), *more)]


def _prevalence(prediction: Prediction) -> list[str]:
    if prediction.prevalence is None:
        return []
    return [f"The probability assumes that {number(prediction.prevalence)} of the radiographs show pneumonia."]
