"""The models of a repository, run inside this process by ONNX Runtime."""

import asyncio
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

from serving.admission import PrioritySlots
from serving.backend import (
    UNRELATED,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    Correlation,
    ModelSpec,
    Priority,
    Tensor,
)
from serving.repository import PublishedModel, RepositoryError, read_repository
from serving.validation import validate_answer, validate_request

# One inference already uses every core: a second one only fills the gaps between operators that use one.
_WORKERS = 2


class EmbeddedBackend:
    """Runs the newest version of every model in a repository. Use it from one event loop."""

    def __init__(
        self,
        loaded: Iterable[tuple[ModelSpec, onnxruntime.InferenceSession]],
        executor: ThreadPoolExecutor,
        max_in_flight: int,
    ) -> None:
        loaded = tuple(loaded)
        self._specs = tuple(spec for spec, _ in loaded)
        self._sessions = {(spec.name, spec.version): session for spec, session in loaded}
        self._executor = executor
        self._slots = PrioritySlots(_WORKERS)
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._closed = False

    @classmethod
    async def open(cls, repository: Path, *, max_in_flight: int = 32, threads: int = 0) -> "EmbeddedBackend":
        """Load every model of a repository without blocking the event loop.

        Parameters
        ----------
        repository
            The folder of the models.
        max_in_flight
            Requests that may run or wait; one more is refused.
        threads
            Threads for one inference, 0 for as many as there are cores.

        Raises
        ------
        RepositoryError
            A model is not what its configuration says, or cannot be loaded.
        ValueError
            A number is out of range.
        """
        if max_in_flight < 1 or threads < 0:
            raise ValueError(f"max_in_flight must be >= 1, threads >= 0. Received: {max_in_flight=}, {threads=}")
        executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="embedded-inference")
        try:
            loading = asyncio.get_running_loop().run_in_executor(executor, _load_repository, repository, threads)
            return cls(await loading, executor, max_in_flight)
        except BaseException:
            executor.shutdown(wait=False)
            raise

    async def models(self) -> Sequence[ModelSpec]:
        """Describe every model; see `InferenceBackend.models`."""
        self._refuse_if_closed()
        return self._specs

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
        correlation: Correlation = UNRELATED,  # noqa: ARG002  nobody else to hand it on to
    ) -> dict[str, Tensor]:
        """Run a model on one batch; see `InferenceBackend.infer`."""
        batch = validate_request(model, inputs, outputs)
        session = self._session_of(model)
        try:
            with self._counted():
                async with asyncio.timeout(timeout), self._slots.slot(priority):
                    answer = await self._run(session, inputs, outputs)
        except TimeoutError as error:
            raise BackendTimeout(f"Model {model.name!r} must answer within {timeout:.3f} s") from error
        validate_answer(model, answer, outputs, batch)
        return answer

    async def close(self) -> None:
        """Wait for the inferences that run, refuse the ones that wait, and let go of sessions and threads."""
        self._closed = True
        await asyncio.to_thread(self._executor.shutdown)
        self._sessions.clear()

    def _session_of(self, model: ModelSpec) -> onnxruntime.InferenceSession:
        self._refuse_if_closed()
        session = self._sessions.get((model.name, model.version))
        if session is None:
            raise BackendUnavailable(f"Model must be one of {sorted(self._sessions)}. Received: {model.name!r}")
        return session

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BackendUnavailable("The embedded backend is closed")

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._in_flight >= self._max_in_flight:
            raise BackendUnavailable(f"The embedded backend is full: {self._in_flight} requests in flight")
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def _run(
        self, session: onnxruntime.InferenceSession, inputs: Mapping[str, Tensor], outputs: Sequence[str]
    ) -> dict[str, Tensor]:
        # It may have been closed while this request waited for its slot.
        self._refuse_if_closed()
        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True
        job = functools.partial(session.run, list(outputs), dict(inputs), options)
        try:
            values = await asyncio.get_running_loop().run_in_executor(self._executor, job)
        except asyncio.CancelledError:
            # Nobody waits any more: stop at the next operator, so that the thread is free for someone else.
            options.terminate = True
            raise
        except Exception as error:  # ONNX Runtime's errors have no base class of their own.
            raise BackendProtocolError(f"ONNX Runtime must be able to run the model. Received: {error}") from error
        return dict(zip(outputs, values, strict=True))


def _load_repository(repository: Path, threads: int) -> list[tuple[ModelSpec, onnxruntime.InferenceSession]]:
    options = _session_options(threads or _available_cores())
    return [(model.spec, _load(model, options)) for model in read_repository(repository)]


def _load(model: PublishedModel, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    content = _verified_content(model)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class of their own.
        raise RepositoryError(model.onnx_file, "model", f"ONNX Runtime must load it. Received: {error}") from error


def _verified_content(model: PublishedModel) -> bytes:
    # The bytes that are hashed are the bytes that are loaded: the file is read once.
    try:
        content = model.onnx_file.read_bytes()
    except OSError as error:
        raise RepositoryError(model.onnx_file, "file", f"The file must be readable. Received: {error}") from error
    expected, received = model.spec.release.get("sha256"), hashlib.sha256(content).hexdigest()
    if received != expected:
        raise RepositoryError(model.onnx_file, "sha256", f"Must be {expected} (release). Received: {received}")
    return content


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Each session has its own threads; idle ones that spin would take the cores from the session that works.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
