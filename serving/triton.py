"""The models of one or several Triton servers, over gRPC."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc
import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.service_pb2 import RepositoryIndexResponse
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from serving.admission import PrioritySlots
from serving.backend import (
    UNRELATED,
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    Correlation,
    ModelSpec,
    Priority,
    Tensor,
)
from serving.repository import RepositoryError, spec_of
from serving.rotation import LEAST_SHARE_S, Rotation, Server, share_of
from serving.validation import validate_answer, validate_request

T = TypeVar("T")
# Asks one server, which may take until a time of the event loop.
Ask = Callable[[InferenceServerClient, float], Awaitable[T]]

log = logging.getLogger("cxr.serving")

# What each gRPC status means to the gateway. NOT_FOUND is a model that is not loaded: it may come yet.
STATUS_ERRORS: Mapping[grpc.StatusCode, type[BackendError]] = {
    grpc.StatusCode.UNAVAILABLE: BackendUnavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: BackendUnavailable,
    grpc.StatusCode.NOT_FOUND: BackendUnavailable,
    grpc.StatusCode.CANCELLED: BackendUnavailable,
    grpc.StatusCode.ABORTED: BackendUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: BackendTimeout,
    grpc.StatusCode.INVALID_ARGUMENT: BackendProtocolError,
    grpc.StatusCode.INTERNAL: BackendProtocolError,
    grpc.StatusCode.UNKNOWN: BackendProtocolError,
    grpc.StatusCode.UNIMPLEMENTED: BackendProtocolError,
    grpc.StatusCode.ALREADY_EXISTS: BackendProtocolError,
    grpc.StatusCode.FAILED_PRECONDITION: BackendProtocolError,
    grpc.StatusCode.OUT_OF_RANGE: BackendProtocolError,
    grpc.StatusCode.DATA_LOSS: BackendProtocolError,
    grpc.StatusCode.PERMISSION_DENIED: BackendProtocolError,
    grpc.StatusCode.UNAUTHENTICATED: BackendProtocolError,
}
_ERRORS_BY_TEXT = {str(code): error for code, error in STATUS_ERRORS.items()}

# Triton's queue rejects a request that waited too long with UNAVAILABLE, as it does when it is full.
_QUEUE_TIMEOUT = "Request timeout expired"
_QUEUE_FULL = "Exceeds maximum queue size"

# With these, unless its queue says so, a server is away or hangs.
_SILENT_STATUSES = (str(grpc.StatusCode.UNAVAILABLE), str(grpc.StatusCode.DEADLINE_EXCEEDED))

# With less time left than this, the next server is not asked. A caller's own deadline may also come this much earlier.
_MOMENT_S = 0.02

_CHANNEL_ARGUMENTS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Without its own pool, clients of the same address share one TCP connection.
    ("grpc.use_local_subchannel_pool", 1),
    # By default a server that was away for some minutes is tried again only after two more.
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class TritonBackend:
    """Asks each server in turn, and the next one when a server is away, full or silent. Use it from one event loop.

    How long a server may be silent, and when it is asked again, is told in `serving.rotation`.
    """

    def __init__(self, clients: Mapping[str, InferenceServerClient], max_in_flight: int, models_timeout: float) -> None:
        self._clients = tuple(clients.values())
        self._servers = Rotation(clients)
        self._slots = PrioritySlots(max_in_flight)
        self._models_timeout = models_timeout
        self._skipped: set[str] = set()
        self._closed = False

    @classmethod
    async def open(
        cls, urls: Sequence[str], *, max_in_flight: int = 32, models_timeout: float = 5.0
    ) -> "TritonBackend":
        """Make one client per server. No server needs to be up yet.

        Parameters
        ----------
        urls
            ``host:port`` of each server's gRPC endpoint.
        max_in_flight
            Requests sent at a time; further ones wait here, predictions first.
        models_timeout
            Seconds that describing the models may take.

        Raises
        ------
        ValueError
            There is no URL, one has a scheme, or a number is out of range.
        """
        if not urls or len(set(urls)) != len(urls) or any("://" in url or not url for url in urls):
            raise ValueError(f"Triton needs distinct addresses of the form host:port. Received: {list(urls)}")
        clients = {url: InferenceServerClient(url, channel_args=list(_CHANNEL_ARGUMENTS)) for url in urls}
        return cls(clients, max_in_flight, models_timeout)

    async def models(self) -> Sequence[ModelSpec]:
        """Describe every model that is ready; see `InferenceBackend.models`.

        A server may hold other people's models too: one whose configuration cannot be read is left out and logged.
        """
        return await self._first_answer(self._describe, _deadline_in(self._models_timeout))

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
        correlation: Correlation = UNRELATED,
    ) -> dict[str, Tensor]:
        """Run a model on one batch; see `InferenceBackend.infer`."""
        batch = validate_request(model, inputs, outputs)
        request, deadline = _Request(model, inputs, outputs, priority, correlation), _deadline_in(timeout)
        async with self._slot(priority, deadline):
            result = await self._first_answer(request.send, deadline)
        answer = _read_answer(result, model, outputs)
        validate_answer(model, answer, outputs, batch)
        return answer

    async def close(self) -> None:
        """Close every connection; see `InferenceBackend.close`."""
        if not self._closed:
            self._closed = True
            await asyncio.gather(*(client.close() for client in self._clients))

    @asynccontextmanager
    async def _slot(self, priority: Priority, deadline: float) -> AsyncIterator[None]:
        """Hold a slot; only the wait for it is bound by the deadline."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout_at(deadline):
                    await held.enter_async_context(self._slots.slot(priority))
            except TimeoutError as error:
                raise BackendTimeout("Earlier requests must leave a turn before the deadline") from error
            yield

    async def _first_answer(self, ask: Ask[T], deadline: float) -> T:
        """Ask one server after the other until one answers, if only with a fault.

        The last failure decides which error is raised: if that was no timeout, there was time left.
        """
        failures: list[BackendError] = []
        servers = self._servers.in_turn(_now())
        for number, server in enumerate(servers, start=1):
            if failures and deadline - _now() < _MOMENT_S:
                break
            try:
                return await self._attempt(ask, server, share_of(server, servers[number:], _now(), deadline))
            except (BackendUnavailable, BackendTimeout) as failure:
                failures.append(failure)
        raise type(failures[-1])("; ".join(map(str, failures)))

    async def _attempt(self, ask: Ask[T], server: Server[InferenceServerClient], until: float) -> T:
        started = _now()
        try:
            async with asyncio.timeout_at(until):
                answer = await self._ask(ask, server.client, until)
        except (InferenceServerException, TimeoutError) as error:
            failure = _failure_of(error, server.address)
            _record(server, failure, silent=_is_silence(error), waited=until - started)
            raise failure from error
        except asyncio.CancelledError:
            # The caller's own deadline is the same as ours, and mostly a little earlier.
            if until - _now() < _MOMENT_S:
                _record(server, BackendTimeout(), silent=True, waited=until - started)
            raise
        server.answered()
        return answer

    async def _ask(self, ask: Ask[T], client: InferenceServerClient, until: float) -> T:
        if self._closed:
            raise BackendUnavailable("The connections to Triton are closed")
        try:
            return await ask(client, until)
        except asyncio.CancelledError:
            # Closing a connection cancels its calls. That is no cancellation of the task that waits for one.
            if self._closed and not _is_cancelled():
                raise BackendUnavailable("The connections to Triton were closed") from None
            raise

    async def _describe(self, client: InferenceServerClient, until: float) -> tuple[ModelSpec, ...]:
        index = await client.get_model_repository_index(client_timeout=_remaining(until))
        versions = sorted(_ready_versions(index).items())
        specs = [await self._describe_model(client, name, str(version), until) for name, version in versions]
        return tuple(spec for spec in specs if spec is not None)

    async def _describe_model(
        self, client: InferenceServerClient, name: str, version: str, until: float
    ) -> ModelSpec | None:
        answer = await client.get_model_config(name, version, client_timeout=_remaining(until))
        try:
            return spec_of(answer.config, version, f"model configuration of {name}")
        except RepositoryError as error:
            self._warn_once(f"model {name!r} version {version} is left out: {error}")
            return None

    def _warn_once(self, message: str) -> None:
        if message not in self._skipped:
            self._skipped.add(message)
            log.warning("%s", message)


@dataclass(frozen=True, slots=True)
class _Request:
    model: ModelSpec
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    priority: Priority
    correlation: Correlation

    async def send(self, client: InferenceServerClient, until: float) -> InferResult:
        remaining = _remaining(until)
        return await client.infer(
            self.model.name,
            [_input_tensor(name, array) for name, array in self.inputs.items()],
            model_version=self.model.version,
            outputs=[InferRequestedOutput(name) for name in self.outputs],
            request_id=self.correlation.request_id,
            headers=_metadata(self.correlation),
            priority=int(self.priority),
            timeout=math.ceil(remaining * 1e6),
            client_timeout=remaining,
        )


def _metadata(correlation: Correlation) -> dict[str, str]:
    fields = {"traceparent": correlation.traceparent, "tracestate": correlation.tracestate}
    return {name: value for name, value in fields.items() if value}


def backend_error_of(error: InferenceServerException, url: str) -> BackendError:
    """Turn the one error of Triton's client into ours. An error without a known status is none of Triton's."""
    message = f"Triton at {url}: {error}"
    if _QUEUE_TIMEOUT in str(error):
        return BackendTimeout(message)
    return _ERRORS_BY_TEXT.get(error.status(), BackendProtocolError)(message)


def _failure_of(error: InferenceServerException | TimeoutError, url: str) -> BackendError:
    if isinstance(error, TimeoutError):
        return BackendTimeout(f"Triton at {url}: no answer in time")
    return backend_error_of(error, url)


def _is_silence(error: InferenceServerException | TimeoutError) -> bool:
    """Tell a server that is away or hangs from one that is full, and from one that lacks the model."""
    if isinstance(error, TimeoutError):
        return True
    queue_answered = any(text in str(error) for text in (_QUEUE_TIMEOUT, _QUEUE_FULL))
    return error.status() in _SILENT_STATUSES and not queue_answered


def _record(server: Server[InferenceServerClient], failure: BackendError, *, silent: bool, waited: float) -> None:
    """Remember a failed attempt and tell operators; `waited` is the time that the server was given."""
    if not silent:
        server.answered()
    elif isinstance(failure, BackendUnavailable) or waited >= LEAST_SHARE_S:
        server.cool_down(_now())
    if isinstance(failure, BackendUnavailable | BackendTimeout):
        server.warn(type(failure), _now())


def _ready_versions(index: RepositoryIndexResponse) -> dict[str, int]:
    ready = sorted((model.name, int(model.version)) for model in index.models if model.state == "READY")
    return dict(ready)


def _input_tensor(name: str, array: Tensor) -> InferInput:
    return InferInput(name, array.shape, np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)


def _read_answer(result: InferResult, model: ModelSpec, outputs: Sequence[str]) -> dict[str, Tensor]:
    response = result.get_response()
    if (response.model_name, response.model_version) != (model.name, model.version):
        received = f"{response.model_name!r} version {response.model_version!r}"
        raise BackendProtocolError(f"{model.name!r} version {model.version!r} must answer. Received: {received}")
    return {name: _read_output(result, name) for name in outputs}


def _read_output(result: InferResult, name: str) -> Tensor:
    # The client trusts the server: bytes that do not fill the shape, or an unknown type, end in numpy's errors.
    try:
        tensor = result.as_numpy(name)
    except (TypeError, ValueError) as error:
        raise BackendProtocolError(f"Output {name!r} must be a tensor. Received: {error}") from error
    if not isinstance(tensor, np.ndarray):
        raise BackendProtocolError(f"The answer must hold {name!r}. Received: none")
    return tensor


def _now() -> float:
    return asyncio.get_running_loop().time()


def _deadline_in(seconds: float) -> float:
    return _now() + seconds


def _remaining(deadline: float) -> float:
    # Never 0, which Triton reads as no timeout at all.
    return max(deadline - _now(), 1e-6)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
