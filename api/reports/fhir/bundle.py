"""An answer as one Bundle that a FHIR server takes as it is."""

from api.reports.fhir.context import Context
from api.reports.fhir.device import device
from api.reports.fhir.diagnostic_report import diagnostic_report
from api.reports.fhir.elements import Json
from api.reports.fhir.media import media
from api.reports.fhir.observations import finding, score
from api.reports.fhir.provenance import provenance, receipt
from api.reports.pictures import pictures_of
from api.types import Report


def fhir_bundle(report: Report, subject: str | None) -> Json:
    """Give an answer as a transaction (FHIR R4, section 3.1.0.11) of a DiagnosticReport and what belongs to it.

    Ids derive from what was asked, what was answered and about whom, and no clock is read: the same request yields the
    same bytes, and posting them again updates the resources instead of adding others.

    Parameters
    ----------
    report
        The answer.
    subject
        A text of which `is_subject` holds, or None. Nothing about a patient is taken from anywhere else.
    """
    context = Context(report, subject)
    said = [
        diagnostic_report(context),
        score(context),
        finding(context),
        *(media(context, picture) for picture in pictures_of(report)),
    ]
    resources = [*said, device(context), receipt(context), provenance(context, said)]
    return {
        "resourceType": "Bundle",
        "id": context.id_of("Bundle"),
        "meta": context.meta,
        "type": "transaction",
        "entry": [_entry(resource) for resource in resources],
    }


def _entry(resource: Json) -> Json:
    """Put a resource under its own id, where a server has it or not (R4, section 3.1.0.7.1)."""
    return {
        "fullUrl": f"urn:uuid:{resource['id']}",
        "resource": resource,
        "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
    }
