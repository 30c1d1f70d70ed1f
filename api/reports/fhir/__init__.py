"""FHIR R4."""

from typing import Any

from api.types import Report


def is_subject(text: str) -> bool:
    """Tell whether a text can be read as a reference to a patient: ``Patient/ID``, or ``system|value``."""
    raise NotImplementedError(text)


def fhir_bundle(report: Report, subject: str | None) -> dict[str, Any]:
    """Give an answer as a Bundle."""
    raise NotImplementedError(report, subject)


def operation_outcome(name: str, status: int, title: str, detail: str) -> dict[str, Any]:
    """Give an error as an OperationOutcome."""
    raise NotImplementedError(name, status, title, detail)
