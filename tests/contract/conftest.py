"""The backends that the contract suite runs against, each on the tiny repository and on the shipped one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from PIL import Image

from serving import BackendSettings, open_backend
from serving.backend import InferenceBackend
from serving.local_triton import LocalTriton

OpenBackend = Callable[[str, Path], Awaitable[InferenceBackend]]

TEST_DATA = Path(__file__).parents[1] / "data"


@pytest_asyncio.fixture
async def opened(local_triton: Callable[[Path], LocalTriton]) -> AsyncIterator[OpenBackend]:
    """Open backends by kind and repository, and close them after the test."""
    backends: list[InferenceBackend] = []

    async def open_by_kind(kind: str, repository: Path) -> InferenceBackend:
        backends.append(await open_backend(_settings(kind, repository, local_triton)))
        return backends[-1]

    yield open_by_kind
    await asyncio.gather(*(backend.close() for backend in backends))


def _settings(kind: str, repository: Path, local_triton: Callable[[Path], LocalTriton]) -> BackendSettings:
    if kind == "triton":
        return BackendSettings("triton", triton_urls=(local_triton(repository).grpc_url,))
    return BackendSettings("embedded", repository)


@pytest_asyncio.fixture(params=["embedded", "triton"])
async def backend(request: pytest.FixtureRequest, opened: OpenBackend, tiny_repository: Path) -> InferenceBackend:
    return await opened(request.param, tiny_repository)


@pytest.fixture(scope="session")
def radiographs() -> list[Image.Image]:
    """The radiographs among the tests' data, and one made of ramps and noise so that there is always one."""
    noise = np.random.default_rng(7).normal(0, 20, (300, 400))
    ramps = np.add.outer(np.linspace(0, 120, 300), np.linspace(0, 100, 400))
    made = Image.fromarray(np.clip(ramps + noise, 0, 255).astype(np.uint8))
    files = sorted(file for file in TEST_DATA.rglob("*") if file.suffix in (".png", ".jpg", ".jpeg"))
    return [made, *(Image.open(file).convert("L") for file in files[:20])]


def batch_of(images: list[Image.Image], height: int, width: int) -> NDArray[np.uint8]:
    """Resize images into one batch ``[n, height, width, 1]``."""
    return np.stack([np.asarray(image.resize((width, height)))[..., None] for image in images])
