"""Every row of the error table, each with its problem document."""

import asyncio
import dataclasses
import logging
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.errors import GatewayError
from api.http.problems import INTERNAL_ERROR, PROBLEM_TYPES, problem_type_of
from api.settings import Settings
from serving.backend import (
    UNRELATED,
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    Correlation,
    ModelSpec,
    Priority,
    Tensor,
    TensorSpec,
)
from serving.embedded import EmbeddedBackend
from tests.api.conftest import OpenBackend, running_gateway
from tests.images import encode, grey, png_file

PNG = {"content-type": "image/png"}
IMAGE = encode(grey(200))
NOISE = encode(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8), "jpeg")
BOMB = png_file(30000, 30000, 8, 0, zlib.compress(bytes(10**6)))

BAD_REQUESTS: Mapping[str, tuple[dict[str, Any], int, str]] = {
    "empty body": ({"content": b"", "headers": PNG}, 400, "invalid-request"),
    "empty form": (
        {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        400,
        "invalid-request",
    ),
    "no boundary": ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "invalid-request"),
    "empty file": ({"files": {"image": ("x.png", b"", "image/png")}}, 400, "invalid-request"),
    "wrong field": ({"files": {"picture": ("x.png", IMAGE, "image/png")}}, 400, "invalid-request"),
    "text field": ({"files": {"image": (None, b"hello")}}, 400, "invalid-request"),
    "two files": ({"files": [("image", ("a", IMAGE)), ("image", ("b", IMAGE))]}, 400, "invalid-request"),
    "cut form": (
        {"content": b"--x\r\nContent-Disp", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        400,
        "invalid-request",
    ),
    "text": ({"content": b"hello", "headers": {"content-type": "text/plain"}}, 415, "unsupported-media-type"),
    "text as image": ({"content": b"hello", "headers": PNG}, 415, "unsupported-media-type"),
    "text in form": ({"files": {"image": ("x.txt", b"hi", "text/plain")}}, 415, "unsupported-media-type"),
    "JSON": ({"json": {"image": "x"}}, 415, "unsupported-media-type"),
    "text as DICOM": (
        {"content": b"x", "headers": {"content-type": "application/dicom"}},
        415,
        "unsupported-media-type",
    ),
    "truncated PNG": ({"content": IMAGE[:-30], "headers": PNG}, 422, "undecodable-image"),
    "truncated JPEG": ({"content": NOISE[: len(NOISE) // 2], "headers": PNG}, 422, "undecodable-image"),
    "zero size": ({"content": png_file(0, 5, 8, 0, zlib.compress(b"")), "headers": PNG}, 422, "undecodable-image"),
    "bomb": ({"content": BOMB, "headers": PNG}, 413, "image-too-large"),
    "33 MiB": ({"content": bytes(33 * 2**20), "headers": PNG}, 413, "image-too-large"),
    "33 MiB form": ({"files": {"image": ("x", bytes(33 * 2**20), "image/png")}}, 413, "image-too-large"),
    "FHIR in XML wanted": (
        {"content": IMAGE, "headers": {**PNG, "accept": "application/fhir+xml"}},
        406,
        "not-acceptable",
    ),
}


def check_problem(answer: httpx.Response, status: int, name: str, path: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{name}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == status
    assert problem["instance"] == path
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize("case", BAD_REQUESTS)
async def test_bad_requests_get_their_documented_answer(client: httpx.AsyncClient, case: str, path: str) -> None:
    request, status, name = BAD_REQUESTS[case]
    check_problem(await client.post(path, **request), status, name, path)


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    check_problem(await client.get("/v1/nothing"), 404, "not-found", "/v1/nothing")
    wrong_method = await client.get("/v1/predict")
    check_problem(wrong_method, 405, "method-not-allowed", "/v1/predict")
    assert wrong_method.headers["allow"] == "POST"


class FailingBackend(EmbeddedBackend):
    """Answers every inference with an error, or with what is no number."""

    failure: Exception | None = None

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
        correlation: Correlation = UNRELATED,
    ) -> dict[str, Tensor]:
        if self.failure is not None:
            raise self.failure
        answer = await super().infer(
            model, inputs, outputs, timeout=timeout, priority=priority, correlation=correlation
        )
        return {name: np.full_like(values, np.nan) for name, values in answer.items()}


@pytest.mark.parametrize(
    ("failure", "status", "name"),
    [
        (BackendProtocolError("secret"), 502, "model-server-error"),
        (None, 502, "model-server-error"),
        (BackendUnavailable("secret"), 503, "model-server-unavailable"),
        (BackendTimeout("secret"), 504, "deadline-exceeded"),
        (RuntimeError("secret"), 500, "internal-error"),
    ],
)
async def test_failures_of_the_model_server_stay_generic(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
    status: int,
    name: str,
) -> None:
    backend = type("Backend", (FailingBackend,), {"failure": failure})
    with caplog.at_level(logging.DEBUG):
        async with running_gateway(Settings(), open_with(backend)) as client:
            answer = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    check_problem(answer, status, name, "/v1/predict")
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
    # Operators need to read what a backend said. What an unforeseen error says may repeat parts of the input.
    told = [record.getMessage() for record in caplog.records if record.name == "cxr"]
    assert len(told) == 1
    assert ("secret" in told[0]) == isinstance(failure, BackendError)
    assert answer.json()["request_id"] in told[0]


class ForeignBackend(EmbeddedBackend):
    """Declares and answers what the test says, instead of the truth."""

    outputs: tuple[TensorSpec, ...] | None = None
    probabilities: tuple[float, ...] = (0.5, 0.5)

    async def models(self) -> Sequence[ModelSpec]:
        models = await super().models()
        if self.outputs is None:
            return models
        return [dataclasses.replace(m, outputs=self.outputs) if m.name == "classifier" else m for m in models]

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        answer = await super().infer(*args, **kwargs)
        return {**answer, "probabilities": np.array([self.probabilities], np.float32)}


@pytest.mark.parametrize(
    "declared",
    [(), (TensorSpec("scores", "float32", (2,)),), (TensorSpec("probabilities", "float32", ()),)],
)
async def test_a_model_that_breaks_the_contract_is_502_and_not_ready(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], declared: tuple[TensorSpec, ...]
) -> None:
    backend = type("Backend", (ForeignBackend,), {"outputs": declared})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await client.post("/v1/predict", content=IMAGE, headers=PNG)
        ready = await client.get("/readyz")
    check_problem(answer, 502, "model-server-error", "/v1/predict")
    check_problem(ready, 502, "model-server-error", "/readyz")


@pytest.mark.parametrize("probabilities", [(-0.5, 1.5), (0.2, 0.3, 0.5), (0.5,), (0.0, 0.0), (0.9, 0.9)])
async def test_answers_that_are_no_probabilities_are_502(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], probabilities: tuple[float, ...]
) -> None:
    backend = type("Backend", (ForeignBackend,), {"probabilities": probabilities})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    check_problem(answer, 502, "model-server-error", "/v1/predict")


class SlowBackend(EmbeddedBackend):
    """Takes its time."""

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        await asyncio.sleep(0.5)
        return await super().infer(*args, **kwargs)


async def test_the_deadline_of_a_request_is_kept(open_with: Callable[[type[EmbeddedBackend]], OpenBackend]) -> None:
    async with running_gateway(Settings(request_timeout_s=0.1), open_with(SlowBackend)) as client:
        answer = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    check_problem(answer, 504, "deadline-exceeded", "/v1/predict")


async def test_too_many_requests_are_turned_away_and_told_when_to_come_back(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
) -> None:
    async with running_gateway(Settings(max_concurrent_requests=2), open_with(SlowBackend)) as client:
        posts = [client.post("/v1/predict", content=IMAGE, headers=PNG) for _ in range(5)]
        answers = await asyncio.gather(*posts)
        afterwards = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    check_problem(refused, 429, "too-many-requests", "/v1/predict")
    assert refused.headers["retry-after"] == "1"
    assert afterwards.status_code == 200


async def test_a_stalled_upload_is_given_up_and_frees_its_place(tiny_repository: Path) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield IMAGE[:10]
        await asyncio.sleep(5)
        yield IMAGE[10:]

    settings = Settings(model_repository=tiny_repository, request_timeout_s=0.2, max_concurrent_requests=1)
    async with running_gateway(settings) as client:
        answer = await client.post("/v1/predict", content=stalled(), headers=PNG)
        afterwards = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    check_problem(answer, 408, "upload-timeout", "/v1/predict")
    assert afterwards.status_code == 200


async def test_a_trailing_slash_is_not_redirected_to_a_host_that_the_client_names(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/predict/", content=IMAGE, headers={**PNG, "host": "evil.example"})
    check_problem(answer, 404, "not-found", "/v1/predict/")


async def test_limits_are_settings(tiny_repository: Path) -> None:
    settings = Settings(model_repository=tiny_repository, max_upload_bytes=100, max_pixels=50)
    async with running_gateway(settings) as client:
        bytes_exceeded = await client.post("/v1/predict", content=IMAGE + bytes(100), headers=PNG)
        form_exceeded = await client.post("/v1/predict", files={"image": ("x", bytes(10**5))})
        pixels_exceeded = await client.post("/v1/predict", content=png_file(10, 10, 8, 0, b""), headers=PNG)
    check_problem(bytes_exceeded, 413, "image-too-large", "/v1/predict")
    check_problem(pixels_exceeded, 413, "image-too-large", "/v1/predict")
    assert "100 bytes" in bytes_exceeded.json()["detail"]
    assert "100 bytes" in form_exceeded.json()["detail"]
    assert "50 pixels" in pixels_exceeded.json()["detail"]


def test_every_error_class_has_a_row() -> None:
    """An error without a row would become a 500."""
    for tree in (GatewayError, BackendError):
        for error in tree.__subclasses__():
            assert problem_type_of(error("")) is not INTERNAL_ERROR, error
    assert all(issubclass(error, GatewayError | BackendError) for error in PROBLEM_TYPES)


async def test_neither_pixels_nor_names_reach_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for data in (IMAGE, IMAGE[:-30]):
            await client.post(
                "/v1/predict", files={"image": ("DOE^JANE.png", data, "image/png")}, headers={"X-Patient": "DOE^JANE"}
            )
        await client.post("/v1/explain?subject=DOE^JANE", content=IMAGE, headers=PNG)
        await client.get("/DOE^JANE")
    gateway_lines = [record.getMessage() for record in caplog.records if record.name.startswith("cxr")]
    assert len(gateway_lines) == 4
    assert not any("DOE" in line for line in gateway_lines)
    assert all(len(line) < 200 for line in gateway_lines)
