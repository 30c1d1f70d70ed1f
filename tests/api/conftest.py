"""The gateway in-process, on the tiny repository whose answers can be computed by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.main import create_app
from api.settings import Settings
from serving import BackendSettings
from serving.backend import InferenceBackend
from serving.embedded import EmbeddedBackend

OpenBackend = Callable[[BackendSettings], Awaitable[InferenceBackend]]


@asynccontextmanager
async def running_gateway(
    settings: Settings, open_backend: OpenBackend | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application and give a client to it."""
    app = create_app(settings) if open_backend is None else create_app(settings, open_backend=open_backend)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


@pytest.fixture
async def client(tiny_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=tiny_repository)) as client:
        yield client


@pytest.fixture
def open_with(tiny_repository: Path) -> Callable[[type[EmbeddedBackend]], OpenBackend]:
    """Make an opener of the tiny repository whose backend is of the given class."""

    def opener(kind: type[EmbeddedBackend]) -> OpenBackend:
        async def open_backend(_: BackendSettings) -> InferenceBackend:
            return await kind.open(tiny_repository)

        return open_backend

    return opener
