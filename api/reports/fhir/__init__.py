"""FHIR R4: answers as Bundles, errors as OperationOutcomes. Plain dicts, ready to be written as JSON."""

from api.reports.fhir.bundle import fhir_bundle
from api.reports.fhir.outcome import operation_outcome
from api.reports.fhir.subject import is_subject

__all__ = ["fhir_bundle", "is_subject", "operation_outcome"]
