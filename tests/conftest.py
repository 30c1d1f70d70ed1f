"""What more than one kind of test needs: the repositories, and a real Triton."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving.local_triton import LocalTriton, LocalTritonUnavailable, free_ports, start
from tests import tiny_repository as tiny

SHIPPED_REPOSITORY = Path(__file__).parents[1] / "model_repository"


def missing(what: str) -> None:
    """Skip the test, or fail it where everything has to be there."""
    if os.environ.get("CXR_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tiny_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("tiny") / "model_repository")


@pytest.fixture(scope="session")
def shipped_repository() -> Path:
    if not list(SHIPPED_REPOSITORY.glob("*/config.pbtxt")):
        missing("model_repository/ must hold published models. Received: none")
    return SHIPPED_REPOSITORY


@pytest.fixture(scope="session")
def local_triton() -> Iterator[Callable[[Path], LocalTriton]]:
    """Give a running Triton for a repository; each is started once and stopped after the last test."""
    servers: dict[Path, LocalTriton] = {}
    with ExitStack() as running:

        def running_on(repository: Path) -> LocalTriton:
            if repository not in servers:
                servers[repository] = running.enter_context(_start_triton(repository))
            return servers[repository]

        yield running_on


def _start_triton(repository: Path) -> LocalTriton:
    try:
        return start(repository, free_ports())
    except LocalTritonUnavailable as error:
        missing(f"A local Triton must be available. Received: {error}")
        raise
