"""A request is known by the same id and trace in the answer, the log and the model server."""

import logging
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.settings import Settings
from serving.backend import Correlation, Tensor
from serving.embedded import EmbeddedBackend
from tests.api.conftest import OpenBackend, running_gateway
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
IMAGE = encode(grey(200))
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "tracestate": "congo=t61rcWkgMzE"}


class Listening(EmbeddedBackend):
    """Remembers with what correlation each model is asked."""

    heard: list[tuple[str, Correlation]]

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        self.heard.append((args[0].name, kwargs["correlation"]))
        return await super().infer(*args, **kwargs)


@pytest.fixture
def listening() -> type[Listening]:
    return type("Backend", (Listening,), {"heard": []})


async def test_every_inference_of_a_request_carries_its_id_and_trace(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], listening: type[Listening]
) -> None:
    async with running_gateway(Settings(), open_with(listening)) as client:
        headers = {**PNG, **TRACE, "x-request-id": "ward-7"}
        answer = await client.post("/v1/explain?methods=all&trust=full", content=IMAGE, headers=headers)
    assert answer.json()["explanations"].keys() >= {"gradient", "occlusion"}
    assert {name for name, _ in listening.heard} == {
        *("classifier", "classifier_explain", "lung_segmenter", "pixel_importance")
    }
    expected = Correlation("ward-7", TRACE["traceparent"], TRACE["tracestate"])
    assert {correlation for _, correlation in listening.heard} == {expected}


async def test_without_a_trace_only_the_id_in_the_answer_is_handed_on(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend], listening: type[Listening]
) -> None:
    async with running_gateway(Settings(), open_with(listening)) as client:
        answer = await client.post("/v1/predict", content=IMAGE, headers=PNG)
    assert {correlation for _, correlation in listening.heard} == {Correlation(answer.headers["x-request-id"])}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain", "/v1/nothing"])
async def test_the_log_line_names_id_and_trace_and_the_answer_the_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.INFO, logger="cxr"):
        answer = await client.post(path, content=IMAGE, headers={**PNG, **TRACE, "x-request-id": "ward-7"})
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cxr.access"]
    assert re.fullmatch(rf"POST \S+( route\))? \d+ \d+\.\d ms ward-7 trace {TRACE_ID}", line)
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "ward-7"
    assert not {"traceparent", "tracestate", "traceresponse"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-request-id", "DOE JANE"),
        ("traceparent", "DOE-JANE"),
        ("traceparent", f"00-{TRACE_ID}-DOEJANE-01"),
        ("tracestate", "DOE^JANE"),
    ],
)
async def test_what_is_malformed_is_neither_answered_nor_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    with caplog.at_level(logging.DEBUG, logger="cxr"):
        answer = await client.post("/v1/predict", content=IMAGE, headers={**PNG, **TRACE, name: value})
    assert answer.status_code == 200
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("cxr")]
    assert len(lines) == 1
    assert (TRACE_ID in lines[0]) == (name != "traceparent")
    for text in (*lines, answer.text, str(answer.headers)):
        assert "DOE" not in text


async def test_a_tracestate_is_not_logged(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="cxr"):
        await client.post("/v1/predict", content=IMAGE, headers={**PNG, **TRACE, "tracestate": "ward=DOE^JANE"})
    assert "DOE" not in caplog.text
