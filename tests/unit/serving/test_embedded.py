import asyncio
import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.backend import BackendProtocolError, BackendTimeout, BackendUnavailable, ModelSpec, Tensor, TensorSpec
from serving.embedded import EmbeddedBackend
from serving.repository import RepositoryError
from tests import tiny_repository as tiny

MODEL = ModelSpec("model", "1", (TensorSpec("x", "float32", ()),), (TensorSpec("y", "float32", ()),), 64)
X = {"x": np.arange(3, dtype=np.float32)}


class Gate:
    """Stands for a session whose inferences last until the gate opens or the caller asks to terminate."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.terminated = threading.Event()

    def run(self, _outputs: Sequence[str], inputs: dict[str, Tensor], options: Any) -> list[Tensor]:
        while not self.open.wait(0.002):
            if options.terminate:
                self.terminated.set()
                raise RuntimeError("terminated")
        return [inputs["x"] * 2]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def backend_behind(session: object, max_in_flight: int = 32) -> EmbeddedBackend:
    return EmbeddedBackend([(MODEL, session)], ThreadPoolExecutor(2), max_in_flight)


async def test_one_request_more_than_the_bound_is_refused(gate: Gate) -> None:
    backend = backend_behind(gate, max_in_flight=3)
    pending = [asyncio.create_task(backend.infer(MODEL, X, ["y"], timeout=10)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(BackendUnavailable, match="3 requests in flight"):
        await backend.infer(MODEL, X, ["y"], timeout=10)
    gate.open.set()
    for answer in await asyncio.gather(*pending):
        np.testing.assert_array_equal(answer["y"], [0, 2, 4])
    await backend.infer(MODEL, X, ["y"], timeout=10)
    await backend.close()


async def test_a_timeout_ends_the_inference_itself(gate: Gate) -> None:
    backend = backend_behind(gate)
    with pytest.raises(BackendTimeout, match=r"within 0\.050 s"):
        await backend.infer(MODEL, X, ["y"], timeout=0.05)
    assert await asyncio.to_thread(gate.terminated.wait, 2)
    await backend.close()


async def test_waiting_for_a_turn_counts_towards_the_deadline(gate: Gate) -> None:
    backend = backend_behind(gate)
    running = [asyncio.create_task(backend.infer(MODEL, X, ["y"], timeout=10)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BackendTimeout):
        await backend.infer(MODEL, X, ["y"], timeout=0.05)
    gate.open.set()
    await asyncio.gather(*running)
    await backend.close()


async def test_closing_refuses_those_who_wait_and_lets_those_who_run_finish(gate: Gate) -> None:
    backend = backend_behind(gate)
    pending = [asyncio.create_task(backend.infer(MODEL, X, ["y"], timeout=10)) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(backend.close())
    await asyncio.sleep(0.01)
    gate.open.set()
    *ran, waited = await asyncio.gather(*pending, return_exceptions=True)
    await closing
    for answer in ran:
        assert isinstance(answer, dict)
        np.testing.assert_array_equal(answer["y"], [0, 2, 4])
    assert isinstance(waited, BackendUnavailable)


async def test_an_answer_of_another_shape_is_a_protocol_error() -> None:
    class Short:
        def run(self, *_: object) -> list[Tensor]:
            return [np.zeros(2, np.float32)]

    backend = backend_behind(Short())
    with pytest.raises(BackendProtocolError, match=r"batch size 3\. Received: 2"):
        await backend.infer(MODEL, X, ["y"], timeout=10)
    await backend.close()


async def test_a_model_that_does_not_run_is_a_protocol_error() -> None:
    class Broken:
        def run(self, *_: object) -> list[Tensor]:
            raise RuntimeError("Non-zero status code")

    backend = backend_behind(Broken())
    with pytest.raises(BackendProtocolError, match="Non-zero status code"):
        await backend.infer(MODEL, X, ["y"], timeout=10)
    await backend.close()


async def test_a_file_that_is_not_the_released_one_is_refused(tmp_path: Path) -> None:
    tiny.build(tmp_path)
    file = tmp_path / "classifier" / "1" / "model.onnx"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(RepositoryError, match=r"model\.onnx: sha256: Must be [0-9a-f]{64} "):
        await EmbeddedBackend.open(tmp_path)


async def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    tiny.build(tmp_path)
    (tmp_path / "classifier" / "1" / "model.onnx").unlink()
    with pytest.raises(RepositoryError, match=r"model\.onnx: file: "):
        await EmbeddedBackend.open(tmp_path)


async def test_a_released_file_that_does_not_load_is_refused(tmp_path: Path) -> None:
    tiny.build(tmp_path)
    folder = tmp_path / "classifier"
    content = (folder / "1" / "model.onnx").read_bytes()
    (folder / "1" / "model.onnx").write_bytes(content[:-100])
    old, new = hashlib.sha256(content).hexdigest(), hashlib.sha256(content[:-100]).hexdigest()
    (folder / "config.pbtxt").write_text((folder / "config.pbtxt").read_text().replace(old, new))
    with pytest.raises(RepositoryError, match=r"model\.onnx: model: ONNX Runtime must load it"):
        await EmbeddedBackend.open(tmp_path)


@pytest.mark.parametrize(("max_in_flight", "threads"), [(0, 0), (1, -1)])
async def test_numbers_out_of_range_are_refused(tmp_path: Path, max_in_flight: int, threads: int) -> None:
    with pytest.raises(ValueError, match=f"max_in_flight={max_in_flight}, threads={threads}"):
        await EmbeddedBackend.open(tmp_path, max_in_flight=max_in_flight, threads=threads)
