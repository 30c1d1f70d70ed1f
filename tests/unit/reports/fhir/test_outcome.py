import json
from http import HTTPStatus

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from api.http.problems import INTERNAL_ERROR, PROBLEM_TYPES
from api.reports.fhir import operation_outcome
from tests.unit.reports.fhir.reading import check_document

# http://hl7.org/fhir/issue-type, as far as it says what the table of problems says.
ISSUE_TYPES = {
    (400, "invalid-request"): "structure",
    (401, "unauthorized"): "login",
    (403, "forbidden"): "forbidden",
    (404, "not-found"): "not-found",
    (405, "method-not-allowed"): "not-supported",
    (406, "not-acceptable"): "not-supported",
    (408, "upload-timeout"): "timeout",
    (413, "image-too-large"): "too-long",
    (415, "unsupported-media-type"): "not-supported",
    (422, "undecodable-image"): "invalid",
    (422, "invalid-parameter"): "value",
    (422, "not-a-chest-radiograph"): "business-rule",
    (422, "unsupported-view"): "business-rule",
    (429, "too-many-requests"): "throttled",
    (500, "internal-error"): "exception",
    (502, "model-server-error"): "exception",
    (503, "model-server-unavailable"): "transient",
    (504, "deadline-exceeded"): "timeout",
    (418, "i'm-a-teapot"): "processing",
    (501, "not-implemented"): "exception",
}


@pytest.mark.parametrize(("problem", "issue_type"), ISSUE_TYPES.items())
def test_each_problem_is_a_valid_outcome_with_its_own_code(problem: tuple[int, str], issue_type: str) -> None:
    status, name = problem
    outcome = operation_outcome(name, status, "A title", "What < is & expected.")
    assert json.loads(OperationOutcome.model_validate(outcome).model_dump_json()) == outcome
    check_document(outcome)
    assert outcome["issue"] == [
        {
            "severity": "error",
            "code": issue_type,
            "details": {"coding": [{"system": "urn:cxr-explain:problems", "code": name}], "text": "A title"},
            "diagnostics": "What < is & expected.",
        }
    ]


def test_every_row_of_the_error_table_is_known() -> None:
    rows = {(row.status, row.name) for row in (*PROBLEM_TYPES.values(), INTERNAL_ERROR)}
    assert rows <= {(HTTPStatus(status), name) for status, name in ISSUE_TYPES if status not in (418, 501)}


def test_control_characters_of_a_client_do_not_come_back() -> None:
    outcome = operation_outcome("invalid-parameter", 422, "A title", "a\0b\x1bc\ud800: is unknown")
    check_document(outcome)
    assert outcome["issue"][0]["diagnostics"] == "a\ufffdb\ufffdc\ufffd: is unknown"
