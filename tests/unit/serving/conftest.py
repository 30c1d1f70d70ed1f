"""Triton servers that misbehave on demand, and backends that know one or both."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from tritonclient.grpc import service_pb2_grpc

from serving.triton import TritonBackend
from tests.unit.serving.fake_triton import FakeTriton


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[dict[str, FakeTriton]]:
    """Two servers, by address."""
    fakes, running = {}, []
    for _ in range(2):
        server, fake = grpc.aio.server(), FakeTriton()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
        fakes[f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"] = fake
        await server.start()
        running.append(server)
    yield fakes
    await asyncio.gather(*(server.stop(None) for server in running))


@pytest.fixture
def fake(servers: dict[str, FakeTriton]) -> FakeTriton:
    return next(iter(servers.values()))


@pytest_asyncio.fixture
async def backend(servers: dict[str, FakeTriton]) -> AsyncIterator[TritonBackend]:
    """A backend that knows the first server alone."""
    backend = await TritonBackend.open([next(iter(servers))], max_in_flight=2)
    yield backend
    await backend.close()


@pytest_asyncio.fixture
async def balanced(servers: dict[str, FakeTriton]) -> AsyncIterator[TritonBackend]:
    """A backend that knows both servers."""
    backend = await TritonBackend.open(list(servers))
    yield backend
    await backend.close()
