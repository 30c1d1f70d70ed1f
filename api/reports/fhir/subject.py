"""Whom an answer is about, as the client says it."""

import re

from api.reports.fhir.elements import Json, logical_reference

_LONGEST = 256  # of an identifier's system and of its value
_PATIENT = re.compile(r"Patient/[A-Za-z0-9\-.]{1,64}")
# An absolute URI (RFC 3986, section 4.3): a scheme, and characters that a URI may hold, percent-encoded where needed.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*:(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_SHAPES = {
    "urn:oid:": re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "urn:uuid:": re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}


def is_subject(text: str) -> bool:
    """Tell whether a text can be read as a reference to a patient: ``Patient/ID``, or ``system|value``.

    A system is an absolute URI, a value any printable text that neither begins nor ends with a space; both have at most
    256 characters.
    """
    if _PATIENT.fullmatch(text):
        return True
    system, _, value = text.partition("|")
    return _is_system(system) and _is_value(value)


def subject_reference(subject: str) -> Json:
    """Give the Reference to a patient that a text stands for which `is_subject`."""
    if _PATIENT.fullmatch(subject):
        return {"reference": subject}
    system, _, value = subject.partition("|")
    return logical_reference("Patient", {"system": system, "value": value})


def _is_system(system: str) -> bool:
    shape = next((shape for prefix, shape in _SHAPES.items() if system.lower().startswith(prefix)), _URI)
    return len(system) <= _LONGEST and shape.fullmatch(system) is not None


def _is_value(value: str) -> bool:
    return 0 < len(value) <= _LONGEST and value.isprintable() and value == value.strip()
