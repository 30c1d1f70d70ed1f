"""`Accept: application/fhir+json` on the tiny repository: every number can be computed from the pixels."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from api.settings import Settings
from serving.backend import BackendProtocolError, BackendTimeout, BackendUnavailable
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.api.test_problems import BAD_REQUESTS, FailingBackend, check_problem
from tests.dicom.files import ACCESSION_NUMBER, PATIENT_DATA, STUDY_UID, radiograph_file
from tests.images import encode, grey
from tests.unit.reports.fhir.reading import (
    check_bundle,
    check_document,
    codes,
    resource,
    resources,
    score_and_finding,
)

FHIR = "application/fhir+json"
PNG = {"content-type": "image/png", "accept": FHIR}
ROUTES = ("/v1/predict", "/v1/explain")
PNEUMONIA = tiny.pattern("top_less_bottom", 0.2)  # a probability of 0.73, and a place to point to
PRESENT, ABSENT, UNDETERMINED = "52101004", "272519000", "371934000"


def probability_of_pneumonia(level: int) -> float:
    return float(tiny.probabilities_of(np.full((1, 128, 128, 1), level, np.uint8))[0, 1])


async def post(client: httpx.AsyncClient, path: str, image: bytes, accept: str = FHIR, **query: str) -> httpx.Response:
    media_type = "image/png" if image.startswith(b"\x89PNG") else "application/dicom"
    return await client.post(path, content=image, headers={"content-type": media_type, "accept": accept}, params=query)


def bundle_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == f"{FHIR}; charset=utf-8"
    bundle: dict[str, Any] = answer.json()
    Bundle.model_validate(bundle)
    check_bundle(bundle)
    return bundle


def check_outcome(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == f"{FHIR}; charset=utf-8"
    outcome: dict[str, Any] = answer.json()
    OperationOutcome.model_validate(outcome)
    check_document(outcome)
    (issue,) = outcome["issue"]
    assert codes(issue["details"]) == {("urn:cxr-explain:problems", name)}
    return dict(issue)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("level", "value"), [(0, ABSENT), (60, ABSENT), (80, UNDETERMINED), (87, UNDETERMINED), (130, PRESENT)]
)
async def test_score_and_finding_follow_the_model_and_its_rule(
    client: httpx.AsyncClient, path: str, level: int, value: str
) -> None:
    bundle = bundle_of(await post(client, path, encode(grey(level))))
    score, finding = score_and_finding(bundle)
    # The last digit may differ by the order in which float32 is summed.
    assert score["valueQuantity"]["value"] == pytest.approx(probability_of_pneumonia(level), abs=6e-5)
    assert score["valueQuantity"]["value"] == round(score["valueQuantity"]["value"], 4)
    assert codes(finding["valueCodeableConcept"]) == {("http://snomed.info/sct", value)}
    assert f"decision threshold of {tiny.DECISION_THRESHOLD:g} " in score["referenceRange"][0]["text"]


async def test_the_pictures_are_those_of_the_json_answer_and_so_is_the_receipt(client: httpx.AsyncClient) -> None:
    image, methods = encode(PNEUMONIA), "silhouette,grad_cam"
    in_json = (await post(client, "/v1/explain", image, "application/json", methods=methods)).json()
    bundle = bundle_of(await post(client, "/v1/explain", image, methods=methods))
    overlays = [explanation["overlay"] for explanation in in_json["explanations"].values()]
    pictures = resources(bundle, "Media")[: len(overlays)]
    assert [each["content"]["data"] for each in pictures] == [overlay["data"] for overlay in overlays]
    assert [each["width"] for each in pictures] == [overlay["width"] for overlay in overlays]
    assert [each["height"] for each in pictures] == [overlay["height"] for overlay in overlays]
    assert json.loads(base64.b64decode(resource(bundle, "Binary")["data"])) == in_json["receipt"]
    assert in_json["trust"]["text"] in resource(bundle, "DiagnosticReport")["conclusion"]


async def test_without_an_explanation_there_is_no_picture(client: httpx.AsyncClient) -> None:
    predicted = bundle_of(await post(client, "/v1/predict", encode(grey(200))))
    normal = bundle_of(await post(client, "/v1/explain", encode(grey(0))))
    for bundle in (predicted, normal):
        assert resources(bundle, "Media") == []
        assert "media" not in resource(bundle, "DiagnosticReport")


async def test_a_retry_yields_the_same_bytes_and_another_gateway_too(
    client: httpx.AsyncClient, open_with: Callable[[type[EmbeddedBackend]], OpenBackend]
) -> None:
    image = encode(PNEUMONIA)
    async with running_gateway(Settings(), open_with(EmbeddedBackend)) as other:
        answers = [
            await post(each, "/v1/explain", image, methods="all", trust="full") for each in (client, client, other)
        ]
    assert {answer.content for answer in answers} == {answers[0].content}
    bundle_of(answers[0])


async def test_another_image_question_or_subject_has_other_ids(client: httpx.AsyncClient) -> None:
    answers = [
        await post(client, path, encode(grey(level)), **query)
        for path, level, query in [
            ("/v1/predict", 200, {}),
            ("/v1/predict", 201, {}),
            ("/v1/predict", 200, {"subject": "Patient/1"}),
            ("/v1/explain", 200, {}),
            ("/v1/explain", 200, {"threshold": "0.8"}),
        ]
    ]
    assert len({resource(bundle_of(answer), "DiagnosticReport")["id"] for answer in answers}) == len(answers)
    assert len({resource(bundle_of(answer), "Device")["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("subject", "reference"),
    [
        ("Patient/123", {"reference": "Patient/123"}),
        (
            "urn:oid:1.2.36.146.595.217.0.1|MRN 4711",
            {"type": "Patient", "identifier": {"system": "urn:oid:1.2.36.146.595.217.0.1", "value": "MRN 4711"}},
        ),
    ],
)
async def test_the_subject_is_the_one_of_the_query_and_logged_nowhere(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, subject: str, reference: dict[str, Any]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="cxr"):
        bundle = bundle_of(await post(client, "/v1/explain", encode(grey(200)), subject=subject))
    for kind in ("DiagnosticReport", "Observation", "Media"):
        assert all(each["subject"] == reference for each in resources(bundle, kind))
    assert caplog.records
    assert subject.rpartition("|")[2] not in caplog.text


@pytest.mark.parametrize("accept", ["application/json", 'multipart/related; type="application/dicom"', "*/*"])
async def test_a_subject_that_would_have_no_effect_is_refused(client: httpx.AsyncClient, accept: str) -> None:
    answer = await post(client, "/v1/predict", encode(grey(200)), accept, subject="Patient/1")
    check_problem(answer, 422, "invalid-parameter", "/v1/predict")


async def test_what_is_no_subject_is_refused_and_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await post(client, "/v1/predict", encode(grey(200)), subject="DOE^JANE")
    issue = check_outcome(answer, 422, "invalid-parameter")
    assert issue["code"] == "value"
    assert "DOE" not in answer.text


@pytest.mark.parametrize("path", ROUTES)
async def test_a_dicom_study_is_linked_and_its_patient_stays_out(client: httpx.AsyncClient, path: str) -> None:
    answer = await post(client, path, radiograph_file(grey(200)))
    bundle = bundle_of(answer)
    report = resource(bundle, "DiagnosticReport")
    assert report["imagingStudy"][0]["identifier"] == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY_UID}"}
    assert report["basedOn"][0]["identifier"]["value"] == ACCESSION_NUMBER
    assert report["effectiveDateTime"] == "2024-03-05"
    assert "subject" not in answer.text
    assert not [secret for secret in PATIENT_DATA if secret.lower() in answer.text.lower()]


async def test_a_dicom_study_is_dated_to_the_moment_where_the_time_zone_is_told(client: httpx.AsyncClient) -> None:
    file = radiograph_file(grey(200), TimezoneOffsetFromUTC="+0530", AccessionNumber=None)
    report = resource(bundle_of(await post(client, "/v1/predict", file)), "DiagnosticReport")
    assert report["effectiveDateTime"] == "2024-03-05T10:16:30+05:30"
    assert "basedOn" not in report


async def test_a_dicom_answer_is_the_same_at_a_retry(client: httpx.AsyncClient) -> None:
    file = radiograph_file(grey(200))
    answers = [await post(client, "/v1/explain", file) for _ in range(2)]
    assert answers[0].content == answers[1].content
    bundle_of(answers[0])


REFUSALS = {case: row for case, row in BAD_REQUESTS.items() if "accept" not in row[0].get("headers", {})}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("case", REFUSALS)
async def test_bad_requests_are_outcomes(client: httpx.AsyncClient, case: str, path: str) -> None:
    request, status, name = REFUSALS[case]
    with_accept = {**request, "headers": {**request.get("headers", {}), "accept": FHIR}}
    check_outcome(await client.post(path, **with_accept), status, name)


async def test_what_is_no_chest_radiograph_is_an_outcome(client: httpx.AsyncClient) -> None:
    foreign = encode(tiny.pattern("top_less_bottom", 0.9))
    issue = check_outcome(await post(client, "/v1/explain", foreign), 422, "not-a-chest-radiograph")
    assert (issue["severity"], issue["code"]) == ("error", "business-rule")


async def test_a_lateral_view_is_an_outcome(client: httpx.AsyncClient) -> None:
    lateral = radiograph_file(grey(200), ViewPosition="LL", ViewCodeSequence=None)
    issue = check_outcome(await post(client, "/v1/explain", lateral), 422, "unsupported-view")
    assert (issue["severity"], issue["code"]) == ("error", "business-rule")


@pytest.mark.parametrize("name", ["colour", "\x00\x1b", "<b>"])
async def test_an_unknown_parameter_is_an_outcome_whatever_its_name(client: httpx.AsyncClient, name: str) -> None:
    answer = await post(client, "/v1/explain", encode(grey(200)), **{name: "1"})
    assert check_outcome(answer, 422, "invalid-parameter")["code"] == "value"


async def test_unknown_paths_and_methods_are_outcomes_too(client: httpx.AsyncClient) -> None:
    headers = {"accept": FHIR}
    assert check_outcome(await client.get("/v1/nothing", headers=headers), 404, "not-found")["code"] == "not-found"
    check_outcome(await client.get("/v1/predict", headers=headers), 405, "method-not-allowed")


@pytest.mark.parametrize(
    ("failure", "status", "name", "issue_type"),
    [
        (BackendProtocolError("secret"), 502, "model-server-error", "exception"),
        (BackendUnavailable("secret"), 503, "model-server-unavailable", "transient"),
        (BackendTimeout("secret"), 504, "deadline-exceeded", "timeout"),
        (RuntimeError("secret"), 500, "internal-error", "exception"),
    ],
)
async def test_failures_of_the_model_server_are_generic_outcomes(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
    failure: Exception,
    status: int,
    name: str,
    issue_type: str,
) -> None:
    backend = type("Backend", (FailingBackend,), {"failure": failure})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await post(client, "/v1/predict", encode(grey(200)))
    assert check_outcome(answer, status, name)["code"] == issue_type
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_an_upload_that_stalls_and_one_too_many_are_outcomes(tiny_repository: Path) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"\x89PNG"
        await asyncio.sleep(5)

    settings = Settings(model_repository=tiny_repository, request_timeout_s=0.3, max_concurrent_requests=1)
    async with running_gateway(settings) as client:
        uploading = asyncio.create_task(client.post("/v1/predict", content=stalled(), headers=PNG))
        await asyncio.sleep(0.1)
        refused = await post(client, "/v1/predict", encode(grey(200)))
        given_up = await uploading
    assert check_outcome(refused, 429, "too-many-requests")["code"] == "throttled"
    assert refused.headers["retry-after"] == "1"
    assert check_outcome(given_up, 408, "upload-timeout")["code"] == "timeout"


@pytest.mark.parametrize(
    "accept", ["application/fhir+xml", "application/fhir+json; fhirVersion=3.0", "application/fhir+json;q=0"]
)
async def test_other_forms_of_fhir_cannot_be_served(client: httpx.AsyncClient, accept: str) -> None:
    answer = await post(client, "/v1/predict", encode(grey(200)), accept)
    check_problem(answer, 406, "not-acceptable", "/v1/predict")


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+json;charset=utf-8",
        "text/html;q=0.1, application/fhir+json",
    ],
)
async def test_fhir_r4_is_served_however_it_is_asked_for(client: httpx.AsyncClient, accept: str) -> None:
    bundle_of(await post(client, "/v1/predict", encode(grey(200)), accept))
