"""The `Accept` header, from the request to the answer; which header asks for what is tested in `tests/unit/http`."""

import httpx
import pytest

from tests.images import encode, grey

PNG = {"content-type": "image/png"}
IMAGE = encode(grey(200))
DICOM = 'multipart/related; type="application/dicom"'


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ([], "application/json"),
        (["application/json;charset=utf-8"], "application/json"),
        (["text/html, */*;q=0.1"], "application/json"),
        (["text/html", "application/json"], "application/json"),
        (["application/fhir+json"], "application/fhir+json"),
        (["application/json;q=0.5", "application/fhir+json; fhirVersion=4.0"], "application/fhir+json"),
        (["application/json;q=0, */*"], "application/fhir+json"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
async def test_the_accept_header_decides(
    client: httpx.AsyncClient, path: str, accept: list[str], media_type: str
) -> None:
    headers = [*PNG.items(), *(("accept", value) for value in accept or [""])]
    answer = await client.post(path, content=IMAGE, headers=headers)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)


@pytest.mark.parametrize(
    ("accept", "detail"),
    [
        ("text/html", "Accept must allow application/json"),
        ("application/json;q=0", "Accept must allow application/json"),
        ("application/fhir+json;fhirVersion=5.0", "application/fhir+json (R4)"),
        (f"{DICOM};transfer-syntax=1.2.840.10008.1.2.4.50", "Explicit VR Little Endian"),
        (DICOM, "DICOM objects can only answer a DICOM object"),
    ],
)
async def test_what_cannot_be_served_is_406_with_the_reason(
    client: httpx.AsyncClient, accept: str, detail: str
) -> None:
    answer = await client.post("/v1/explain", content=IMAGE, headers={**PNG, "accept": accept})
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
    assert detail in answer.json()["detail"]


async def test_caches_are_told_that_the_answer_depends_on_what_is_accepted(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/v1/predict", content=IMAGE, headers={**PNG, "accept": accept})
        for accept in ("application/json", "application/fhir+json", "text/html")
    ]
    answers.append(await client.get("/v1/nothing"))
    assert [answer.status_code for answer in answers] == [200, 200, 406, 404]
    assert {answer.headers["vary"] for answer in answers} == {"Accept"}
