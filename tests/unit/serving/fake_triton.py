"""A gRPC server that speaks Triton's protocol and commits the faults that a test asks for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.backend import ModelSpec, Priority, Tensor, TensorSpec
from serving.triton import TritonBackend

MODEL = ModelSpec("model", "1", (TensorSpec("x", "float32", ()),), (TensorSpec("y", "float32", ()),), 64)
X = np.arange(3, dtype=np.float32)

Behaviour = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # Generated without types.
    """Answers with twice its input, unless told to behave otherwise."""

    def __init__(self) -> None:
        self.behaviour: Behaviour | None = None
        self.configure: Callable[[Any], object] = lambda _: None
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.running = 0
        self.most_running = 0

    async def ModelInfer(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await (self.behaviour or twice)(request, context)
        finally:
            self.running -= 1

    async def RepositoryIndex(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        return await (self.behaviour or twice)(request, context)

    async def ModelConfig(self, request: Any, _: grpc.aio.ServicerContext) -> Any:
        answer = service_pb2.ModelConfigResponse()
        answer.config.name = request.name
        answer.config.max_batch_size = 10 + int(request.version)
        self.configure(answer.config)
        return answer


def answer_of(values: Tensor, **changes: Any) -> Any:
    answer = service_pb2.ModelInferResponse(model_name="model", model_version="1")
    output = {"name": "y", "datatype": "FP32", "shape": values.shape} | changes
    answer.outputs.add(**output)
    answer.raw_output_contents.append(values.tobytes())
    return answer


def index_of(*names: str) -> Any:
    """A repository index of models that are ready at version 1."""
    index = service_pb2.RepositoryIndexResponse()
    for name in names:
        index.models.add(name=name, version="1", state="READY")
    return index


async def twice(request: Any, _: grpc.aio.ServicerContext) -> Any:
    return answer_of(2 * np.frombuffer(request.raw_input_contents[0], np.float32))


def failing(code: grpc.StatusCode, details: str = "details") -> Behaviour:
    async def fail(_: Any, context: grpc.aio.ServicerContext) -> Any:
        await context.abort(code, details)

    return fail


def answering(answer: Any) -> Behaviour:
    async def respond(*_: object) -> Any:
        return answer

    return respond


async def hang(*_: object) -> Any:
    await asyncio.sleep(30)


async def ask(backend: TritonBackend, timeout: float = 5, priority: Priority = Priority.PREDICTION) -> Tensor:
    return (await backend.infer(MODEL, {"x": X}, ["y"], timeout=timeout, priority=priority))["y"]
