"""Errors as OperationOutcomes."""

from collections.abc import Mapping

from api.reports.fhir.elements import Json, narrative

_PROBLEMS = "urn:cxr-explain:problems"
# Codes of http://hl7.org/fhir/issue-type by the name of the problem.
_ISSUE_TYPES: Mapping[str, str] = {
    "invalid-request": "structure",
    "unauthorized": "login",
    "forbidden": "forbidden",
    "not-found": "not-found",
    "method-not-allowed": "not-supported",
    "not-acceptable": "not-supported",
    "upload-timeout": "timeout",
    "image-too-large": "too-long",
    "unsupported-media-type": "not-supported",
    "undecodable-image": "invalid",
    "invalid-parameter": "value",
    # What was sent is well-formed, and is refused by a rule of the gateway.
    "not-a-chest-radiograph": "business-rule",
    "unsupported-view": "business-rule",
    "too-many-requests": "throttled",
    "internal-error": "exception",
    "model-server-error": "exception",
    "model-server-unavailable": "transient",
    "deadline-exceeded": "timeout",
}
_SERVER_ERROR = 500


def operation_outcome(name: str, status: int, title: str, detail: str) -> Json:
    """Give an error as an OperationOutcome (FHIR R4, section 2.21).

    Parameters
    ----------
    name
        Of the problem, as in the `type` of a problem document: ``/problems/<name>``.
    status
        HTTP status, 400 to 599.
    title
        Of the problem, the same for every occurrence.
    detail
        Of this occurrence; nothing that could identify a patient.
    """
    # It may name a parameter of the client's, while text in FHIR, and in XML, holds no control characters.
    diagnostics = "".join(character if character.isprintable() else "\ufffd" for character in detail)
    issue = {
        "severity": "error",
        "code": _ISSUE_TYPES.get(name, "exception" if status >= _SERVER_ERROR else "processing"),
        "details": {"coding": [{"system": _PROBLEMS, "code": name}], "text": title},
        "diagnostics": diagnostics,
    }
    return {"resourceType": "OperationOutcome", "text": narrative(f"{title}. {diagnostics}"), "issue": [issue]}
