"""The models of one or several Triton servers, over gRPC."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    BackendError,
    BackendProtocolError,
    BackendTimeout,
    BackendUnavailable,
    ModelSpec,
    Priority,
    Tensor,
)
from serving.repository import RepositoryError, spec_of
from serving.validation import validate_answer, validate_request

T = TypeVar("T")

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

_CHANNEL_ARGUMENTS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Without its own pool, clients of the same address share one TCP connection.
    ("grpc.use_local_subchannel_pool", 1),
    # By default a server that was away for some minutes is tried again only after two more.
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class TritonBackend:
    """Asks each server in turn, and the next one when a server is away or full. Use it from one event loop."""

    def __init__(self, clients: Mapping[str, InferenceServerClient], max_in_flight: int, models_timeout: float) -> None:
        self._clients = tuple(clients.items())
        self._slots = PrioritySlots(max_in_flight)
        self._models_timeout = models_timeout
        self._turn = 0
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
        """Describe every model that is ready; see `InferenceBackend.models`."""
        deadline = _deadline_in(self._models_timeout)
        with _deadline_told("The description of the models", self._models_timeout):
            async with asyncio.timeout_at(deadline):
                return await self._first_answer(lambda client: _describe(client, deadline))

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
    ) -> dict[str, Tensor]:
        """Run a model on one batch; see `InferenceBackend.infer`."""
        batch = validate_request(model, inputs, outputs)
        request = _Request(model, inputs, outputs, priority, _deadline_in(timeout))
        with _deadline_told(f"Model {model.name!r}", timeout):
            async with asyncio.timeout_at(request.deadline), self._slots.slot(priority):
                result = await self._first_answer(request.send)
        answer = _read_answer(result, model, outputs)
        validate_answer(model, answer, outputs, batch)
        return answer

    async def close(self) -> None:
        """Close every connection; see `InferenceBackend.close`."""
        if not self._closed:
            self._closed = True
            await asyncio.gather(*(client.close() for _, client in self._clients))

    async def _first_answer(self, ask: Callable[[InferenceServerClient], Awaitable[T]]) -> T:
        """Ask one server after the other until one is not away."""
        failures = []
        for url, client in self._servers_in_turn():
            try:
                return await self._ask(ask, client)
            except InferenceServerException as error:
                failure = backend_error_of(error, url)
                if not isinstance(failure, BackendUnavailable):
                    raise failure from error
                failures.append(str(failure))
        raise BackendUnavailable("; ".join(failures))

    async def _ask(self, ask: Callable[[InferenceServerClient], Awaitable[T]], client: InferenceServerClient) -> T:
        if self._closed:
            raise BackendUnavailable("The connections to Triton are closed")
        try:
            return await ask(client)
        except asyncio.CancelledError:
            # Closing a connection cancels its calls. That is no cancellation of the task that waits for one.
            if self._closed and not _is_cancelled():
                raise BackendUnavailable("The connections to Triton were closed") from None
            raise

    def _servers_in_turn(self) -> Iterator[tuple[str, InferenceServerClient]]:
        first = self._turn
        self._turn = (first + 1) % len(self._clients)
        yield from self._clients[first:]
        yield from self._clients[:first]


@dataclass(frozen=True, slots=True)
class _Request:
    model: ModelSpec
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    priority: Priority
    deadline: float

    async def send(self, client: InferenceServerClient) -> InferResult:
        remaining = _remaining(self.deadline)
        return await client.infer(
            self.model.name,
            [_input_tensor(name, array) for name, array in self.inputs.items()],
            model_version=self.model.version,
            outputs=[InferRequestedOutput(name) for name in self.outputs],
            priority=int(self.priority),
            timeout=math.ceil(remaining * 1e6),
            client_timeout=remaining,
        )


def backend_error_of(error: InferenceServerException, url: str) -> BackendError:
    """Turn the one error of Triton's client into ours. An error without a known status is none of Triton's."""
    message = f"Triton at {url}: {error}"
    if _QUEUE_TIMEOUT in str(error):
        return BackendTimeout(message)
    return _ERRORS_BY_TEXT.get(error.status(), BackendProtocolError)(message)


async def _describe(client: InferenceServerClient, deadline: float) -> tuple[ModelSpec, ...]:
    index = await client.get_model_repository_index(client_timeout=_remaining(deadline))
    versions = sorted(_ready_versions(index).items())
    return tuple([await _describe_model(client, name, str(version), deadline) for name, version in versions])


def _ready_versions(index: RepositoryIndexResponse) -> dict[str, int]:
    ready = sorted((model.name, int(model.version)) for model in index.models if model.state == "READY")
    return dict(ready)


async def _describe_model(client: InferenceServerClient, name: str, version: str, deadline: float) -> ModelSpec:
    answer = await client.get_model_config(name, version, client_timeout=_remaining(deadline))
    try:
        return spec_of(answer.config, version, f"model configuration of {name}")
    except RepositoryError as error:
        raise BackendProtocolError(str(error)) from error


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


@contextmanager
def _deadline_told(subject: str, seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise BackendTimeout(f"{subject} must be answered within {seconds:.3f} s") from error


def _deadline_in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _remaining(deadline: float) -> float:
    # Never 0, which Triton reads as no timeout at all.
    return max(deadline - asyncio.get_running_loop().time(), 1e-6)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
