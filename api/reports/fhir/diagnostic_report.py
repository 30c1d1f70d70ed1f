"""The DiagnosticReport: what a clinician reads first, with links to the rest."""

from api.reports.fhir.codes import CHEST_RADIOGRAPH, RADIOLOGY
from api.reports.fhir.context import Context, link
from api.reports.fhir.elements import Json, concept, elements, narrative
from api.reports.fhir.media import media_id
from api.reports.fhir.observations import finding_id, score_id
from api.reports.fhir.verdict import verdict_of
from api.reports.pictures import pictures_of
from api.reports.wording import conclusion_of


def report_id(context: Context) -> str:
    """Give the id of the report."""
    return context.id_of("DiagnosticReport")


def diagnostic_report(context: Context) -> Json:
    """Give the report. It is preliminary until a clinician confirms it."""
    conclusion = conclusion_of(context.report)
    pictures = pictures_of(context.report)
    verdict = verdict_of(context.report.prediction)
    return elements(
        resourceType="DiagnosticReport",
        id=report_id(context),
        meta=context.meta,
        text=narrative(conclusion),
        basedOn=context.orders,
        status="preliminary",
        category=[concept(RADIOLOGY)],
        code=concept(CHEST_RADIOGRAPH, text="Chest radiograph, one view"),
        subject=context.about,
        effectiveDateTime=context.acquired,
        result=[link(score_id(context)), link(finding_id(context))],
        imagingStudy=context.imaging_studies,
        media=[{"comment": picture.title, "link": link(media_id(context, picture))} for picture in pictures],
        conclusion=conclusion,
        conclusionCode=[concept(*verdict.conclusion, text=verdict.words)],
    )
