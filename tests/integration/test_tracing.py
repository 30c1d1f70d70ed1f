"""A real Triton goes on with the trace of the gateway's client, seen by a collector that speaks OTLP."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings
from serving import local_triton
from serving.local_triton import LocalTriton, LocalTritonUnavailable, free_ports, start
from tests.api.conftest import running_gateway
from tests.conftest import missing
from tests.images import encode, grey

TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {
    "content-type": "image/png",
    "x-request-id": "ward-7.42",
    "traceparent": f"00-{TRACE_ID}-{CALLER}-01",
    "tracestate": "congo=t61rcWkgMzE",
}
Span = dict[str, Any]


class Collector(HTTPServer):
    """Keeps the spans that are posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.spans: list[Span] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    async def spans_named(self, name: str, count: int) -> list[Span]:
        """Wait for spans, which Triton sends in batches."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = [span for span in self.spans if span["name"] == name]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{count} spans named {name} must arrive. Received: {[s['name'] for s in self.spans]}")


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for resource in sent["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                self.server.spans += scope["spans"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def traced_triton(
    collector: Collector, tiny_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalTriton]:
    """A Triton that traces no request of its own accord, only those that bring a trace."""
    arguments = local_triton._arguments
    tracing = ("mode=opentelemetry", f"opentelemetry,url={collector.url}", "opentelemetry,bsp_schedule_delay=100")
    switched_on = [f"--trace-config={setting}" for setting in (*tracing, "level=TIMESTAMPS", "rate=1000000")]
    monkeypatch.setattr(local_triton, "_arguments", lambda *given: (*arguments(*given), *switched_on))
    try:
        with start(tiny_repository, free_ports()) as running:
            yield running
    except LocalTritonUnavailable as error:
        missing(f"A local Triton must be available. Received: {error}")


def request_id_of(span: Span) -> str | None:
    values = {attribute["key"]: attribute["value"] for attribute in span["attributes"]}
    return values["triton.request_id"]["stringValue"] if "triton.request_id" in values else None


async def test_triton_continues_the_clients_trace_under_the_clients_request_id(
    collector: Collector, traced_triton: LocalTriton
) -> None:
    settings = Settings(backend="triton", triton_url=(traced_triton.grpc_url,))
    async with running_gateway(settings) as client:
        answer = await client.post("/v1/predict", content=encode(grey(200)), headers=HEADERS)
    assert answer.status_code == 200
    received = await collector.spans_named("InferRequest", 2)  # of the classifier and of the lung segmenter
    assert {span["parentSpanId"] for span in received} == {CALLER}
    models = [*await collector.spans_named("classifier", 1), *await collector.spans_named("lung_segmenter", 1)]
    assert {request_id_of(span) for span in models} == {"ward-7.42"}
    assert {span["traceId"] for span in collector.spans} == {TRACE_ID}
