"""The receipt of every answer, recomputed from the files and the JSON alone."""

import dataclasses
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.settings import Settings
from api.types import ExplainOptions
from serving.backend import Tensor
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
LEVEL = 200
IMAGE = encode(grey(LEVEL))
NORMAL_IMAGE = encode(grey(20))
KEY = "a key of this test's own, long enough"
DECIDED_BY = {"decision_threshold": tiny.DECISION_THRESHOLD, "prevalence": tiny.PREVALENCE, "quality_gate": "on"}
EXPLAINED = {
    "operation": "explain",
    "methods": ["silhouette", "gradient"],
    "threshold": 0.7,
    "always": False,
    "overlay_format": "png",
    "overlay_size": 512,
    "regions": None,
    "lungs": False,
    "fill": "mean",
    "trust": "quick",
}


def record_of(repository: Path, name: str) -> dict[str, str]:
    sha256 = hashlib.sha256((repository / name / "1" / "model.onnx").read_bytes()).hexdigest()
    return {"name": name, "version": "1", "sha256": sha256}


async def receipt_of(client: httpx.AsyncClient, path: str, image: bytes = IMAGE) -> dict[str, Any]:
    answer = await client.post(path, content=image, headers=PNG)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()["receipt"]
    return receipt


async def receipt_under(settings: Settings, path: str = "/v1/explain") -> dict[str, Any]:
    async with running_gateway(settings) as client:
        return await receipt_of(client, path)


async def test_a_receipt_says_what_judged_what_and_how(client: httpx.AsyncClient, tiny_repository: Path) -> None:
    pneumonia = tiny.probabilities_of(np.full((1, 128, 128, 1), LEVEL, np.uint8))[0, 1]
    assert await receipt_of(client, "/v1/predict") == {
        "input_sha256": hashlib.sha256(IMAGE).hexdigest(),
        "keyed": False,
        "model": record_of(tiny_repository, "classifier"),
        "other_models": [record_of(tiny_repository, "lung_segmenter")],
        "parameters": {"operation": "predict", **DECIDED_BY},
        "service_version": version("cxr-explain"),
        "label": "PNEUMONIA",
        "probability": pytest.approx(round(pneumonia, 4), abs=0),
        "indeterminate": False,
        "mac": None,
    }


async def test_a_key_authenticates_input_and_receipt(tiny_repository: Path) -> None:
    settings = Settings(model_repository=tiny_repository, receipt_key=KEY)
    receipt = await receipt_under(settings, "/v1/explain?threshold=1")
    assert receipt["keyed"] is True
    assert receipt["input_sha256"] == hmac.new(KEY.encode(), IMAGE, hashlib.sha256).hexdigest()
    mac = receipt.pop("mac")
    text = json.dumps(receipt, sort_keys=True, separators=(",", ":"))
    assert mac == hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


async def test_another_key_tells_nothing_of_the_same_file(tiny_repository: Path) -> None:
    settings = [Settings(model_repository=tiny_repository, receipt_key=key) for key in (KEY, KEY + "!")]
    one, other = [await receipt_under(each) for each in settings]
    differing = {name for name in one if one[name] != other[name]}
    assert differing == {"input_sha256", "mac"}


async def test_every_option_of_an_explanation_is_in_it(client: httpx.AsyncClient) -> None:
    assert (await receipt_of(client, "/v1/explain"))["parameters"] == {**EXPLAINED, **DECIDED_BY}
    assert EXPLAINED.keys() - {"operation"} == {field.name for field in dataclasses.fields(ExplainOptions)}
    changed = {
        "methods": ["saliency", "occlusion"],
        "threshold": 0.5,
        "always": True,
        "overlay_format": "jpeg",
        "overlay_size": 64,
        "regions": 16,
        "lungs": True,
        "fill": "black",
        "trust": "full",
    }
    query = "&".join(f"{name}={','.join(v) if isinstance(v, list) else v}" for name, v in changed.items())
    receipt = await receipt_of(client, f"/v1/explain?{query}")
    assert receipt["parameters"] == {"operation": "explain", **changed, **DECIDED_BY}


async def test_the_sites_decision_in_force_is_in_it(tiny_repository: Path) -> None:
    settings = Settings(model_repository=tiny_repository, prevalence=0.25, decision_threshold=0.125, quality_gate="off")
    parameters = (await receipt_under(settings, "/v1/predict"))["parameters"]
    assert parameters == {
        "operation": "predict",
        "decision_threshold": 0.125,
        "prevalence": 0.25,
        "quality_gate": "off",
    }


class Recording(EmbeddedBackend):
    """Remembers which models are asked."""

    asked: set[str]

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        self.asked.add(args[0].name)
        return await super().infer(*args, **kwargs)


@pytest.mark.parametrize(
    ("path", "image", "others"),
    [
        ("/v1/predict", IMAGE, {"lung_segmenter"}),
        ("/v1/explain", NORMAL_IMAGE, {"lung_segmenter"}),
        ("/v1/explain", IMAGE, {"lung_segmenter", "pixel_importance"}),
        ("/v1/explain?methods=silhouette", IMAGE, {"lung_segmenter"}),
        ("/v1/explain?methods=grad_cam&always=true", NORMAL_IMAGE, {"classifier_explain", "lung_segmenter"}),
        ("/v1/explain?methods=all", IMAGE, {"classifier_explain", "lung_segmenter", "pixel_importance"}),
    ],
)
async def test_the_other_models_are_those_that_were_asked(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], path: str, image: bytes, others: set[str]
) -> None:
    backend: type[Recording] = type("Backend", (Recording,), {"asked": set()})
    async with running_gateway(Settings(), open_with(backend)) as client:
        receipt = await receipt_of(client, path, image)
    assert [model["name"] for model in receipt["other_models"]] == sorted(others)
    assert backend.asked == {"classifier", *others}


async def test_the_same_request_has_the_same_receipt(tiny_repository: Path) -> None:
    settings = Settings(model_repository=tiny_repository, receipt_key=KEY)
    async with running_gateway(settings) as client:
        first = await receipt_of(client, "/v1/explain?methods=all")
        form = await client.post(
            "/v1/explain?methods=all", files={"image": ("name.png", IMAGE)}, headers={"x-request-id": "another"}
        )
        assert form.json()["receipt"] == first
    assert await receipt_under(settings, "/v1/explain?methods=all") == first


async def test_the_order_of_methods_makes_no_other_answer(tiny_repository: Path) -> None:
    settings = Settings(model_repository=tiny_repository)
    paths = [f"/v1/explain?methods={methods}" for methods in ("occlusion,gradient", "gradient, occlusion,gradient")]
    first, second = [await receipt_under(settings, path) for path in paths]
    assert first == second
    assert first["parameters"]["methods"] == ["gradient", "occlusion"]


async def test_what_shapes_the_answer_shapes_the_receipt(tiny_repository: Path) -> None:
    shaping: list[tuple[dict[str, Any], str]] = [
        ({}, "/v1/predict"),
        ({}, "/v1/explain"),
        ({}, "/v1/explain?overlay_size=64"),
        ({}, "/v1/explain?methods=gradient"),
        ({"quality_gate": "off"}, "/v1/explain"),
        ({"decision_threshold": 0.3}, "/v1/explain"),
        ({"prevalence": 0.5}, "/v1/explain"),
        ({"receipt_key": KEY}, "/v1/explain"),
    ]
    receipts = [await receipt_under(Settings(model_repository=tiny_repository, **each), path) for each, path in shaping]
    assert len({json.dumps(receipt, sort_keys=True) for receipt in receipts}) == len(receipts)


class Failing(EmbeddedBackend):
    """Fails in a way that nobody foresaw."""

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        raise RuntimeError(f"{len(args)} and {len(kwargs)} arguments")


async def test_the_key_is_shown_nowhere(
    tiny_repository: Path,
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = Settings(model_repository=tiny_repository, receipt_key=KEY)
    told = [repr(settings), str(settings), settings.model_dump_json()]
    with caplog.at_level(logging.DEBUG):
        for backend in (EmbeddedBackend, Failing):
            async with running_gateway(settings, open_with(backend)) as client:
                posts = [
                    await client.post(f"/v1/{name}", content=IMAGE, headers=PNG) for name in ("predict", "explain")
                ]
                posts.append(await client.post("/v1/explain?threshold=9", content=IMAGE[:-9], headers=PNG))
                gets = [await client.get(path) for path in ("/openapi.json", "/v1/models", "/readyz", "/")]
                state = client._transport.app.state.gateway  # type: ignore[attr-defined]
                told += [repr(state), repr(state.pipeline.policy)]
                told += [answer.text + str(answer.headers) for answer in (*posts, *gets)]
                assert {answer.status_code for answer in posts} == {200 if backend is EmbeddedBackend else 500, 422}
    told += [caplog.text, *(repr(record.__dict__) for record in caplog.records)]
    assert not [text for text in told if KEY in text]
