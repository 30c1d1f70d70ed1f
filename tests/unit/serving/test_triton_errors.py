"""What the Triton adapter makes of a server's faults, against a server that commits them."""

import asyncio
import time
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from serving.backend import (
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    ModelSpec,
    Priority,
)
from serving.triton import STATUS_ERRORS, TritonBackend, backend_error_of
from tests.unit.serving.fake_triton import FakeTriton, answer_of, answering, ask, failing, hang, twice


def test_every_status_has_an_error() -> None:
    assert set(grpc.StatusCode) - set(STATUS_ERRORS) == {grpc.StatusCode.OK}


@pytest.mark.parametrize(("code", "expected"), STATUS_ERRORS.items())
async def test_statuses_of_a_real_connection_are_told_apart(
    backend: TritonBackend, fake: FakeTriton, code: grpc.StatusCode, expected: type[BackendError]
) -> None:
    fake.behaviour = failing(code, "why")
    with pytest.raises(expected, match="why") as caught:
        await ask(backend)
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("StatusCode.UNAVAILABLE", "[request id: 7] Request timeout expired", BackendTimeout),
        ("StatusCode.UNAVAILABLE", "[request id: 7] Exceeds maximum queue size", BackendUnavailable),
        ("StatusCode.UNAVAILABLE", None, BackendUnavailable),
        ("StatusCode.NOVEL", "what", BackendProtocolError),
        (None, "got unexpected datatype", BackendProtocolError),
    ],
)
def test_errors_of_the_client_are_mapped(status: str | None, message: str | None, expected: type[BackendError]) -> None:
    error = backend_error_of(InferenceServerException(message or "", status), "server:8001")
    assert type(error) is expected
    assert "server:8001" in str(error)


async def test_request_carries_deadline_priority_and_version(backend: TritonBackend, fake: FakeTriton) -> None:
    np.testing.assert_array_equal(await ask(backend, timeout=4, priority=Priority.EXPLANATION), [0, 2, 4])
    (request,) = fake.requests
    assert request.parameters["priority"].uint64_param == 2
    assert 3_500_000 < request.parameters["timeout"].int64_param <= 4_000_000
    assert (request.model_name, request.model_version) == ("model", "1")


async def test_a_deadline_is_kept(backend: TritonBackend, fake: FakeTriton) -> None:
    fake.behaviour = hang
    started = time.monotonic()
    with pytest.raises(BackendTimeout):
        await ask(backend, timeout=0.2)
    assert 0.15 < time.monotonic() - started < 2


async def test_in_flight_bound_is_kept_and_waiting_counts_towards_the_deadline(
    backend: TritonBackend, fake: FakeTriton
) -> None:
    fake.behaviour = hang
    started = time.monotonic()
    outcomes = await asyncio.gather(*(ask(backend, timeout=0.3) for _ in range(6)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BackendTimeout] * 6
    assert time.monotonic() - started < 2
    assert fake.most_running == 2


async def test_in_flight_requests_all_get_their_turn(backend: TritonBackend, fake: FakeTriton) -> None:
    async def slowly(request: Any, context: grpc.aio.ServicerContext) -> Any:
        await asyncio.sleep(0.02)
        return await twice(request, context)

    fake.behaviour = slowly
    for answer in await asyncio.gather(*(ask(backend) for _ in range(7))):
        np.testing.assert_array_equal(answer, [0, 2, 4])
    assert fake.most_running == 2


GARBAGE = {
    "another shape": answer_of(np.zeros((3, 2), np.float32)),
    "another batch": answer_of(np.zeros(2, np.float32)),
    "another type": answer_of(np.zeros(3, np.float64), datatype="FP64"),
    "unknown type": answer_of(np.zeros(3, np.float32), datatype="FP7"),
    "bytes that do not fill the shape": answer_of(np.zeros(2, np.float32), shape=[3]),
    "another output": answer_of(np.zeros(3, np.float32), name="z"),
    "another model": service_pb2.ModelInferResponse(model_name="other", model_version="1"),
    "another version": service_pb2.ModelInferResponse(model_name="model", model_version="2"),
    "nothing": service_pb2.ModelInferResponse(model_name="model", model_version="1"),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_a_protocol_error(backend: TritonBackend, fake: FakeTriton, answer: Any) -> None:
    fake.behaviour = answering(answer)
    with pytest.raises(BackendProtocolError):
        await ask(backend)


async def test_servers_take_turns(balanced: TritonBackend, servers: dict[str, FakeTriton]) -> None:
    for _ in range(6):
        await ask(balanced)
    assert [len(fake.requests) for fake in servers.values()] == [3, 3]


async def test_a_full_server_is_passed_over(balanced: TritonBackend, servers: dict[str, FakeTriton]) -> None:
    full, other = servers.values()
    full.behaviour = failing(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
    for _ in range(4):
        np.testing.assert_array_equal(await ask(balanced), [0, 2, 4])
    assert len(other.requests) == 4


async def test_when_all_servers_are_away_each_is_named(balanced: TritonBackend, servers: dict[str, FakeTriton]) -> None:
    for number, fake in enumerate(servers.values()):
        fake.behaviour = failing(grpc.StatusCode.UNAVAILABLE, f"reason {number}")
    with pytest.raises(BackendUnavailable, match=r"reason 0.*; .*reason 1"):
        await ask(balanced)


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT])
async def test_a_fault_is_not_tried_on_the_next_server(
    balanced: TritonBackend, servers: dict[str, FakeTriton], code: grpc.StatusCode
) -> None:
    faulty, other = servers.values()
    faulty.behaviour = failing(code)
    with pytest.raises(BackendProtocolError):
        await ask(balanced)
    assert other.requests == []


async def test_cancelling_reaches_the_server(backend: TritonBackend, fake: FakeTriton) -> None:
    fake.behaviour = hang
    task = asyncio.create_task(ask(backend))
    while not fake.running:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        while fake.running:
            await asyncio.sleep(0.005)


async def test_closing_makes_requests_in_flight_unavailable(backend: TritonBackend, fake: FakeTriton) -> None:
    fake.behaviour = hang
    pending = [asyncio.create_task(ask(backend)) for _ in range(3)]
    while fake.running < 2:
        await asyncio.sleep(0.005)
    await backend.close()
    outcomes = await asyncio.gather(*pending, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BackendUnavailable] * 3


async def test_models_are_the_ready_ones_at_their_newest_version(backend: TritonBackend, fake: FakeTriton) -> None:
    index = service_pb2.RepositoryIndexResponse()
    for name, version, state in [
        ("b", "9", "READY"),
        ("b", "10", "READY"),
        ("b", "11", "LOADING"),
        ("c", "1", "UNAVAILABLE"),
        ("c", "", ""),
        ("a", "2", "READY"),
    ]:
        index.models.add(name=name, version=version, state=state)
    fake.behaviour = answering(index)
    assert await backend.models() == (ModelSpec("a", "2", (), (), 12), ModelSpec("b", "10", (), (), 20))


async def test_models_of_a_silent_server_time_out(servers: dict[str, FakeTriton], fake: FakeTriton) -> None:
    fake.behaviour = hang
    backend = await TritonBackend.open([next(iter(servers))], models_timeout=0.2)
    with pytest.raises(BackendTimeout):
        await backend.models()
    await backend.close()


@pytest.mark.parametrize("urls", [[], [""], ["http://triton:8001"], ["triton:8001", "triton:8001"]])
async def test_wrong_addresses_are_refused(urls: list[str]) -> None:
    with pytest.raises(ValueError, match="host:port"):
        await TritonBackend.open(urls)
