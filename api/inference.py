"""Asking models questions about images, for one request: the pipeline's way to the backend."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.catalogue import IMAGE, ModelCatalogue, input_size
from api.imaging.preprocess import to_model_inputs
from api.stopwatch import Stopwatch
from api.types import Answer, Question
from api.workers import Workers
from serving.backend import (
    UNRELATED,
    BackendProtocolError,
    BackendUnavailable,
    Correlation,
    InferenceBackend,
    ModelSpec,
    Priority,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What accompanies one radiograph on its way. `deadline` is in seconds of the event loop's clock.

    `asked` collects the models that were asked anything about it, by name.
    """

    deadline: float
    priority: Priority
    correlation: Correlation = UNRELATED
    watch: Stopwatch = field(default_factory=Stopwatch)
    asked: dict[str, ModelSpec] = field(default_factory=dict)

    def time_left(self) -> float:
        """Seconds until the answer is no longer wanted."""
        return max(0.001, self.deadline - asyncio.get_running_loop().time())


class Inference:
    """Makes the inputs of models, has them answered by one backend, and refuses answers that are no numbers."""

    def __init__(self, backend: InferenceBackend, catalogue: ModelCatalogue, workers: Workers) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._workers = workers

    async def ask(self, asked: Sequence[tuple[ModelSpec, Question]], request: Request) -> Sequence[Answer]:
        """Ask each model its question, all at once: a stage lasts until the last one is through it.

        Raises
        ------
        BackendError
            A model lacks an output, does not answer, or with values that are not finite where the question relies on
            that.
        """
        request.asked.update({model.name: model for model, _ in asked})
        with request.watch.stage("preprocess"):
            batches = await self._workers.run(_batches, asked)
        with request.watch.stage("inference"):
            return await _at_once(
                self._infer(model, batch, question, request)
                for (model, question), batch in zip(asked, batches, strict=True)
            )

    async def _infer(self, model: ModelSpec, batch: NDArray[np.uint8], question: Question, request: Request) -> Answer:
        _require_outputs(model, question)
        try:
            answer = await self._backend.infer(
                model,
                {IMAGE: batch},
                question.outputs,
                timeout=request.time_left(),
                priority=request.priority,
                correlation=request.correlation,
            )
        except BackendUnavailable:
            # The model may have been replaced by a newer version: ask which one is served.
            self._catalogue.forget()
            raise
        return _as_numbers(model, answer, question.may_be_non_finite)


async def _at_once(work: Iterable[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """Wait for all results. The first failure calls off the rest, which nobody wants any more."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _batches(asked: Sequence[tuple[ModelSpec, Question]]) -> Sequence[NDArray[np.uint8]]:
    """Make the input of each model. Images that several models are asked about go through the first shrink once."""
    images = {_key(question): question.images for _, question in asked}
    sizes = {key: {input_size(model): None for model, question in asked if _key(question) == key} for key in images}
    inputs = {key: to_model_inputs(images[key], list(sizes[key])) for key in images}
    return [inputs[_key(question)][input_size(model)] for model, question in asked]


def _key(question: Question) -> tuple[int, ...]:
    return tuple(id(image) for image in question.images)


def _require_outputs(model: ModelSpec, question: Question) -> None:
    offered = [output.name for output in model.outputs]
    if lacking := [name for name in question.outputs if name not in offered]:
        raise BackendProtocolError(f"Model {model.name!r} must have the outputs {lacking}. Received: {offered}")


def _as_numbers(
    model: ModelSpec, outputs: Mapping[str, NDArray[np.generic]], may_be_non_finite: frozenset[str]
) -> Answer:
    """Pass on outputs that are numbers; a NaN must become neither a label nor a picture."""
    answer = {name: np.asarray(values, dtype=np.float32) for name, values in outputs.items()}
    for name, values in answer.items():
        if name not in may_be_non_finite and not np.isfinite(values).all():
            raise BackendProtocolError(f"Output {name!r} of {model.name!r} must be finite.")
    return answer
