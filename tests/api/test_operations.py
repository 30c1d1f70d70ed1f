"""What operators ask: alive, ready, which models, which contract."""

from collections.abc import Callable, Sequence

import httpx
import pytest

from api.settings import Settings
from serving.backend import BackendUnavailable, ModelSpec, TensorSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.images import encode, grey

PNG = {"content-type": "image/png"}


class Wavering(EmbeddedBackend):
    """A model server that is away, or lacks a model, as long as it is told so."""

    away = False
    lacking = ""

    async def models(self) -> Sequence[ModelSpec]:
        if self.away:
            raise BackendUnavailable("away")
        return [model for model in await super().models() if model.name != self.lacking]


async def test_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_load_balancers_may_ask_with_head(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


class Shared(EmbeddedBackend):
    """A model server that holds somebody else's model as well."""

    async def models(self) -> Sequence[ModelSpec]:
        foreign = ModelSpec("llm", "1", (TensorSpec("text", "object", (1,)),), (), 8)
        return [*await super().models(), foreign]


async def test_models_of_others_are_left_out(open_with: Callable[[type[EmbeddedBackend]], OpenBackend]) -> None:
    async with running_gateway(Settings(), open_with(Shared)) as client:
        listed = [model["name"] for model in (await client.get("/v1/models")).json()["models"]]
        assert listed == ["classifier", "classifier_explain", "lung_segmenter", "pixel_importance"]
        assert (await client.get("/readyz")).status_code == 200


async def test_readiness_follows_the_model_server(open_with: Callable[[type[EmbeddedBackend]], OpenBackend]) -> None:
    class Backend(Wavering):
        """A class of this test's own, so that what it changes ends with it."""

    async with running_gateway(Settings(), open_with(Backend)) as client:
        assert (await client.get("/readyz")).status_code == 200
        Backend.away = True
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        Backend.away = False
        assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("lacking", ["classifier", "lung_segmenter", "pixel_importance"])
async def test_every_model_of_the_default_methods_and_the_input_gate_is_needed_and_named(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], lacking: str
) -> None:
    backend = type("Backend", (Wavering,), {"lacking": lacking})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/model-server-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"] == f"The gateway needs models that do not answer: {lacking}."


async def test_a_missing_explanation_model_does_not_stop_predictions(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
) -> None:
    backend = type("Backend", (Wavering,), {"lacking": "pixel_importance"})
    async with running_gateway(Settings(), open_with(backend)) as client:
        image = encode(grey(200))
        assert (await client.post("/v1/predict", content=image, headers=PNG)).status_code == 200
        assert (await client.post("/v1/explain", content=image, headers=PNG)).status_code == 503


async def test_models_are_listed_with_what_was_published(client: httpx.AsyncClient) -> None:
    models = {model["name"]: model for model in (await client.get("/v1/models")).json()["models"]}
    assert set(models) == {"classifier", "classifier_explain", "lung_segmenter", "pixel_importance"}
    assert models["classifier"] == {
        "name": "classifier",
        "version": "1",
        "architecture": "tiny",
        "input_size": {"height": 128, "width": 128},
        "decision_threshold": tiny.DECISION_THRESHOLD,
        "prevalence": tiny.PREVALENCE,
        "in_force": {"decision_threshold": tiny.DECISION_THRESHOLD, "prevalence": tiny.PREVALENCE},
        "evaluation": {},
    }
    for name in ("lung_segmenter", "pixel_importance"):
        assert (models[name]["decision_threshold"], models[name]["in_force"]) == (None, None)


async def test_the_contract_is_described(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]) == {"/v1/predict", "/v1/explain", "/v1/models", "/healthz", "/readyz"}
    explain = document["paths"]["/v1/explain"]["post"]
    assert set(explain["requestBody"]["content"]) == {
        *("multipart/form-data", "image/png", "image/jpeg", "application/dicom")
    }
    assert set(explain["responses"]["200"]["content"]) == {
        *("application/json", "application/fhir+json", "multipart/related")
    }
    assert {p["name"] for p in explain["parameters"]} == {
        "methods",
        "threshold",
        "always",
        "overlay_format",
        "overlay_size",
        "regions",
        "lungs",
        "fill",
        "trust",
        "subject",
    }
    predict = document["paths"]["/v1/predict"]["post"]
    assert {p["name"] for p in predict["parameters"]} == {"subject"}
    assert predict["responses"]["200"]["content"].keys() == explain["responses"]["200"]["content"].keys()
    assert "application/problem+json" in explain["responses"]["422"]["content"]
    answer = document["components"]["schemas"]["PredictOut"]
    assert "receipt" in answer["required"]


@pytest.mark.parametrize(("path", "script"), [("/", "ui/page.js"), ("/docs", "ui/docs.js")])
async def test_pages_and_their_files_come_from_the_gateway_alone(
    client: httpx.AsyncClient, path: str, script: str
) -> None:
    page = await client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("http://www.w3.org/2000/svg", "")
    for file, media_type in ((script, "text/javascript"), ("ui/page.css", "text/css")):
        assert f'"{file}"' in page.text  # relative, so that the page works behind a path prefix
        assert (await client.get(f"/{file}")).headers["content-type"].startswith(media_type)


async def test_no_other_file_is_given(client: httpx.AsyncClient) -> None:
    for path in ("/ui/__init__.py", "/ui/..%2Fmain.py", "/ui/index.html"):
        assert (await client.get(path)).status_code in (404, 422)
