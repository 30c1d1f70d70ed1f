"""What a Triton server is told of the request that it works for."""

import grpc
import pytest

from serving.backend import UNRELATED, Correlation
from serving.triton import TritonBackend
from tests.unit.serving.fake_triton import MODEL, FakeTriton, X, failing

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


async def send(backend: TritonBackend, correlation: Correlation) -> None:
    await backend.infer(MODEL, {"x": X}, ["y"], timeout=5, correlation=correlation)


async def test_request_id_and_trace_arrive_as_they_were_given(backend: TritonBackend, fake: FakeTriton) -> None:
    state = "congo=  t61rcWkgMzE ~!,rojo@x=1"
    await send(backend, Correlation("ward-7.42", TRACEPARENT, state))
    assert fake.requests[0].id == "ward-7.42"
    assert fake.metadata[0]["traceparent"] == TRACEPARENT
    assert fake.metadata[0]["tracestate"] == state


@pytest.mark.parametrize(
    ("correlation", "request_id", "names"),
    [
        (UNRELATED, "", set()),
        (Correlation("7"), "7", set()),
        (Correlation("7", TRACEPARENT), "7", {"traceparent"}),
    ],
)
async def test_what_is_not_there_is_not_sent(
    backend: TritonBackend, fake: FakeTriton, correlation: Correlation, request_id: str, names: set[str]
) -> None:
    await send(backend, correlation)
    assert fake.requests[0].id == request_id
    assert fake.metadata[0].keys() & {"traceparent", "tracestate"} == names


async def test_the_next_server_is_told_the_same(balanced: TritonBackend, servers: dict[str, FakeTriton]) -> None:
    first, second = servers.values()
    first.behaviour = failing(grpc.StatusCode.UNAVAILABLE)
    await send(balanced, Correlation("7", TRACEPARENT, "congo=1"))
    assert first.metadata[0]["traceparent"] == second.metadata[0]["traceparent"] == TRACEPARENT
    assert first.requests[0].id == second.requests[0].id == "7"


def test_a_trace_is_known_by_its_id() -> None:
    assert Correlation("7", TRACEPARENT).trace_id == TRACE_ID
    assert UNRELATED.trace_id == ""
