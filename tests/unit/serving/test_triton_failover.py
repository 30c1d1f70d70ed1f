"""What the Triton adapter does when one of two servers hangs, is away, or holds models that it cannot read."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio

from serving import rotation
from serving.backend import BackendError, BackendProtocolError, BackendTimeout, BackendUnavailable, ModelSpec
from serving.triton import TritonBackend
from tests.unit.serving.fake_triton import FakeTriton, answering, ask, failing, hang, index_of


@pytest.fixture
def silent_url() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest_asyncio.fixture
async def half_silent(silent_url: str, servers: dict[str, FakeTriton]) -> AsyncIterator[TritonBackend]:
    """A backend that asks the silent server first, then a good one."""
    backend = await TritonBackend.open([silent_url, next(iter(servers))], models_timeout=2.4)
    yield backend
    await backend.close()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all((record.name, record.levelno) == ("cxr.serving", logging.WARNING) for record in caplog.records)
    return [record.getMessage() for record in caplog.records]


async def test_a_silent_server_is_failed_over_and_then_comes_last(
    half_silent: TritonBackend, silent_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    np.testing.assert_array_equal(await ask(half_silent, timeout=2.4), [0, 2, 4])
    assert 1.1 < time.monotonic() - started < 2
    started = time.monotonic()
    for _ in range(6):
        np.testing.assert_array_equal(await ask(half_silent, timeout=2.4), [0, 2, 4])
    assert time.monotonic() - started < 1
    assert warnings_of(caplog) == [f"model server {silent_url} failed: BackendTimeout"]


async def test_models_of_a_silent_server_are_asked_of_the_next(half_silent: TritonBackend, fake: FakeTriton) -> None:
    fake.behaviour = answering(index_of("a"))
    assert await half_silent.models() == (ModelSpec("a", "1", (), (), 11),)


async def test_a_server_that_hangs_while_connected_is_failed_over(
    balanced: TritonBackend, servers: dict[str, FakeTriton]
) -> None:
    hanging, other = servers.values()
    hanging.behaviour = hang
    for _ in range(5):
        np.testing.assert_array_equal(await ask(balanced, timeout=2.4), [0, 2, 4])
    assert (len(hanging.requests), len(other.requests)) == (1, 5)
    # Its queue is told not to run the request once nobody waits for it.
    assert hanging.requests[0].parameters["timeout"].int64_param <= 1_200_000


async def test_requests_at_the_same_time_share_one_trial(
    balanced: TritonBackend, servers: dict[str, FakeTriton]
) -> None:
    hanging, _ = servers.values()
    hanging.behaviour = hang
    await ask(balanced, timeout=2.1)
    for server in balanced._servers._servers:
        server.cools_until = 0
    await asyncio.gather(*(ask(balanced, timeout=2.1) for _ in range(8)))
    assert len(hanging.requests) == 2


async def test_a_slow_server_keeps_its_turns(balanced: TritonBackend, servers: dict[str, FakeTriton]) -> None:
    slow, other = servers.values()
    slow.behaviour = hang
    with suppress(BackendTimeout):
        await ask(balanced, timeout=0.3)
    slow.behaviour = None
    for _ in range(4):
        await ask(balanced)
    assert (len(slow.requests), len(other.requests)) == (3, 2)


async def test_when_all_servers_hang_the_deadline_is_kept(
    balanced: TritonBackend, servers: dict[str, FakeTriton], caplog: pytest.LogCaptureFixture
) -> None:
    for fake in servers.values():
        fake.behaviour = hang
    started = time.monotonic()
    with pytest.raises(BackendTimeout) as caught:
        await ask(balanced, timeout=2.2)
    assert 2.1 < time.monotonic() - started < 2.8
    assert all(url in str(caught.value) for url in servers)
    assert warnings_of(caplog) == [f"model server {url} failed: BackendTimeout" for url in servers]


async def test_a_timeout_that_the_caller_sees_first_counts_too(
    backend: TritonBackend, servers: dict[str, FakeTriton], caplog: pytest.LogCaptureFixture
) -> None:
    url, fake = next(iter(servers.items()))
    fake.behaviour = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask(backend, timeout=0.205)
    assert warnings_of(caplog) == [f"model server {url} failed: BackendTimeout"]


async def test_cancelling_is_no_failure_of_the_server(
    backend: TritonBackend, fake: FakeTriton, caplog: pytest.LogCaptureFixture
) -> None:
    fake.behaviour = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask(backend, timeout=5)
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    ("code", "details", "first_server_requests"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", 1),
        (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", 2),
        (grpc.StatusCode.UNAVAILABLE, "Request timeout expired", 2),
        (grpc.StatusCode.NOT_FOUND, "unknown model", 2),
    ],
)
async def test_only_a_server_that_is_away_comes_last(
    balanced: TritonBackend,
    servers: dict[str, FakeTriton],
    caplog: pytest.LogCaptureFixture,
    code: grpc.StatusCode,
    details: str,
    first_server_requests: int,
) -> None:
    url, failed = next(iter(servers.items()))
    failed.behaviour = failing(code, details)
    for _ in range(4):
        np.testing.assert_array_equal(await ask(balanced), [0, 2, 4])
    assert len(failed.requests) == first_server_requests
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"model server {url} failed: Backend")
    assert details not in warning


async def test_a_server_that_is_back_gets_its_turns_again(
    balanced: TritonBackend, servers: dict[str, FakeTriton], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "COOL_DOWN_S", 0.1)
    first, other = servers.values()
    first.behaviour = failing(grpc.StatusCode.UNAVAILABLE)
    await ask(balanced)
    first.behaviour = None
    await asyncio.sleep(0.15)
    for _ in range(6):
        await ask(balanced)
    assert (len(first.requests), len(other.requests)) == (1 + 3, 1 + 3)


@pytest.mark.parametrize(
    ("last", "expected"), [(hang, BackendTimeout), (failing(grpc.StatusCode.UNAVAILABLE), BackendUnavailable)]
)
async def test_the_last_failure_decides_the_error(
    balanced: TritonBackend, servers: dict[str, FakeTriton], last: Any, expected: type[BackendError]
) -> None:
    first, second = servers.values()
    first.behaviour, second.behaviour = failing(grpc.StatusCode.UNAVAILABLE), last
    if last is not hang:
        first.behaviour = hang
    with pytest.raises(expected):
        await ask(balanced, timeout=2.1)


async def test_a_fault_is_no_warning(
    backend: TritonBackend, fake: FakeTriton, caplog: pytest.LogCaptureFixture
) -> None:
    fake.behaviour = failing(grpc.StatusCode.INTERNAL)
    with pytest.raises(BackendProtocolError):
        await ask(backend)
    assert warnings_of(caplog) == []


def release_not_json(config: Any) -> None:
    config.parameters["release"].string_value = "{"


def release_no_object(config: Any) -> None:
    config.parameters["release"].string_value = "[]"


def release_of_another_version(config: Any) -> None:
    config.parameters["release"].string_value = '{"2": {}}'


def type_unknown(config: Any) -> None:
    config.input.add(name="x", data_type=99)


@pytest.mark.parametrize("spoil", [release_not_json, release_no_object, release_of_another_version, type_unknown])
async def test_a_foreign_model_that_cannot_be_read_is_left_out_and_told_once(
    backend: TritonBackend, fake: FakeTriton, caplog: pytest.LogCaptureFixture, spoil: Any
) -> None:
    fake.behaviour = answering(index_of("foreign", "ours"))
    fake.configure = lambda config: spoil(config) if config.name == "foreign" else None
    for _ in range(2):
        assert [model.name for model in await backend.models()] == ["ours"]
    (warning,) = warnings_of(caplog)
    assert warning.startswith("model 'foreign' version 1 is left out: model configuration of foreign: ")
    assert "Must " in warning


async def test_a_model_without_a_release_is_listed(backend: TritonBackend, fake: FakeTriton) -> None:
    fake.behaviour = answering(index_of("foreign"))
    assert await backend.models() == (ModelSpec("foreign", "1", (), (), 11, {}),)
