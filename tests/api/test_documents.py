"""What holds for FHIR and DICOM answers alike."""

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.pipeline import answering
from api.settings import Settings
from serving.backend import ModelSpec, Tensor
from serving.embedded import EmbeddedBackend
from tests.api.conftest import OpenBackend, running_gateway
from tests.dicom.files import radiograph_file
from tests.images import encode, grey

LEVELS = np.full((150, 200), 200, np.uint8)
FHIR = "application/fhir+json"
DICOM = 'multipart/related; type="application/dicom"'


async def ask(client: httpx.AsyncClient, path: str, content: bytes, accept: str) -> httpx.Response:
    return await client.post(path, content=content, headers={"accept": accept})


@pytest.mark.parametrize("query", ["overlay_size=1025", "overlay_format=webp"])
async def test_captures_are_neither_huge_nor_lossy(client: httpx.AsyncClient, query: str) -> None:
    answer = await ask(client, f"/v1/explain?{query}", radiograph_file(LEVELS), DICOM)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
    assert query.partition("=")[0] in answer.json()["detail"]
    assert (await ask(client, f"/v1/explain?{query}", encode(grey(200)), FHIR)).status_code == 200


async def test_the_largest_capture_is_answered(client: httpx.AsyncClient) -> None:
    assert (await ask(client, "/v1/explain?overlay_size=1024", radiograph_file(LEVELS), DICOM)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
async def test_a_parameter_given_twice_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await ask(client, f"{path}?subject=Patient/1&subject=Patient/2", encode(grey(200)), FHIR)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "invalid-parameter"


class Noting(EmbeddedBackend):
    """Notes what it is asked."""

    asked: list[str]

    async def infer(self, model: ModelSpec, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        self.asked.append(model.name)
        return await super().infer(model, *args, **kwargs)


@pytest.mark.parametrize(
    "content", [encode(grey(200)), radiograph_file(LEVELS, StudyInstanceUID=None)], ids=["no DICOM", "no study"]
)
async def test_what_no_object_can_answer_is_refused_before_a_model_is_asked(
    tiny_repository: Path, open_with: Any, content: bytes
) -> None:
    asked: list[str] = []
    opener: OpenBackend = open_with(type("Backend", (Noting,), {"asked": asked}))
    async with running_gateway(Settings(model_repository=tiny_repository), opener) as client:
        assert (await ask(client, "/v1/explain", content, DICOM)).status_code == 406
        assert asked == []
        assert (await ask(client, "/v1/explain", content, "application/json")).status_code == 200
        assert asked != []


@pytest.mark.parametrize(("accept", "maker"), [(FHIR, "fhir_bundle"), (DICOM, "dicom_objects")])
async def test_the_deadline_holds_for_documents_too(
    tiny_repository: Path, monkeypatch: pytest.MonkeyPatch, accept: str, maker: str
) -> None:
    monkeypatch.setattr(answering, maker, lambda *_: time.sleep(1.5))
    settings = Settings(model_repository=tiny_repository, request_timeout_s=1)
    async with running_gateway(settings) as client:
        assert (await ask(client, "/v1/predict", radiograph_file(LEVELS), accept)).status_code == 504
