"""The way of a radiograph through the gateway: the only place where the stages meet.

decode -> preprocess -> infer -> explain -> render. CPU work runs in a bounded thread pool; inference is awaited.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, IMAGE, ModelCatalogue, identity, input_size
from api.decision import POSITIVE_LABEL, decision_rule
from api.errors import DeadlineExceeded
from api.explain import METHODS, STUDY_SIZE, Method
from api.imaging.decode import decode
from api.imaging.geometry import to_pixels
from api.imaging.preprocess import resize_antialiased, to_model_input
from api.imaging.render import draw_gradient, draw_silhouette, encode_heatmap
from api.stopwatch import Stopwatch
from api.types import (
    Answer,
    ExplainOptions,
    Explanation,
    Finding,
    Prediction,
    Question,
    Radiograph,
    Report,
    SilhouetteFinding,
)
from serving.backend import BackendProtocolError, BackendUnavailable, InferenceBackend, ModelSpec, Priority

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    """What accompanies one radiograph on its way. `deadline` is in seconds of the event loop's clock."""

    deadline: float
    priority: Priority
    watch: Stopwatch = field(default_factory=Stopwatch)

    def time_left(self) -> float:
        return max(0.001, self.deadline - asyncio.get_running_loop().time())


class Pipeline:
    """Judges and explains radiographs with the models of one backend."""

    def __init__(
        self, backend: InferenceBackend, workers: Executor, *, max_pixels: int, request_timeout_s: float
    ) -> None:
        self.catalogue = ModelCatalogue(backend)
        self._backend = backend
        self._workers = workers
        self._max_pixels = max_pixels
        self._request_timeout_s = request_timeout_s

    async def report(self, data: bytes, options: ExplainOptions | None = None) -> Report:
        """Judge the radiograph in a file, and explain the answer if `options` are given.

        Explanations are made for PNEUMONIA, and for any answer where the options say `always`.

        Raises
        ------
        GatewayError
            The file is not a readable radiograph, or the deadline has passed.
        BackendError
            The model server did not answer as it should.
        """
        deadline = asyncio.get_running_loop().time() + self._request_timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                return await self._judge_and_explain(data, options, _Request(deadline, Priority.PREDICTION))
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self._request_timeout_s:g} s.") from error

    async def _judge_and_explain(self, data: bytes, options: ExplainOptions | None, request: _Request) -> Report:
        with request.watch.stage("decode"):
            radiograph = await self._in_worker(decode, data, max_pixels=self._max_pixels)
        classifier = await self.catalogue.find(CLASSIFIER)
        prediction = await self._classify(classifier, radiograph, request)
        explanations = None if options is None else await self._explain(radiograph, prediction, options, request)
        return Report(
            model=identity(classifier),
            radiograph=radiograph,
            prediction=prediction,
            explanations=explanations,
            timings_ms=request.watch.timings_ms(),
        )

    async def _classify(self, classifier: ModelSpec, radiograph: Radiograph, request: _Request) -> Prediction:
        rule = decision_rule(classifier)
        question = Question(CLASSIFIER, (radiograph.pixels,), ("probabilities",))
        answer = await self._ask(classifier, question, request)
        return rule.decide(answer["probabilities"][0])

    async def _explain(
        self, radiograph: Radiograph, prediction: Prediction, options: ExplainOptions, request: _Request
    ) -> Mapping[str, Explanation]:
        if prediction.label != POSITIVE_LABEL and not options.always:
            return {}
        with request.watch.stage("preprocess"):
            image = await self._in_worker(resize_antialiased, radiograph.pixels, STUDY_SIZE, STUDY_SIZE)
        explaining = _Request(request.deadline, Priority.EXPLANATION, request.watch)
        explanations = {}
        for name in options.methods:
            finding = await self._find(METHODS[name], image, options, explaining)
            with request.watch.stage("render"):
                explanations[name] = await self._in_worker(_render, radiograph, finding, options)
        return explanations

    async def _find(
        self, method: Method, image: NDArray[np.uint8], options: ExplainOptions, request: _Request
    ) -> Finding:
        """Run a method to its finding, answering the questions that it asks on the way."""
        explainer = method.explain(image, options)

        def proceed(answer: Answer | None) -> Question | Finding:
            try:
                return next(explainer) if answer is None else explainer.send(answer)
            except StopIteration as stop:
                finding: Finding = stop.value
                return finding

        answer: Answer | None = None
        while True:
            with request.watch.stage("explain"):
                step = await self._in_worker(proceed, answer)
            if not isinstance(step, Question):
                return step
            answer = await self._ask(await self.catalogue.find(step.model), step, request)

    async def _ask(self, model: ModelSpec, question: Question, request: _Request) -> Answer:
        with request.watch.stage("preprocess"):
            batch = await self._in_worker(to_model_input, question.images, *input_size(model))
        with request.watch.stage("inference"):
            try:
                outputs = await self._backend.infer(
                    model,
                    {IMAGE: batch},
                    question.outputs,
                    timeout=request.time_left(),
                    priority=request.priority,
                )
            except BackendUnavailable:
                # The model may have been replaced by a newer version: ask which one is served.
                self.catalogue.forget()
                raise
        return _finite(model, outputs)

    async def _in_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, lambda: function(*args, **kwargs))


def _finite(model: ModelSpec, outputs: Mapping[str, NDArray[np.generic]]) -> Answer:
    """Pass on outputs that are numbers; a NaN must become neither a label nor a picture."""
    answer = {name: np.asarray(values, dtype=np.float32) for name, values in outputs.items()}
    for name, values in answer.items():
        if not np.isfinite(values).all():
            raise BackendProtocolError(f"Output {name!r} of {model.name!r} must be finite.")
    return answer


def _render(radiograph: Radiograph, finding: Finding, options: ExplainOptions) -> Explanation:
    size, overlay_format = options.overlay_size, options.overlay_format
    box = to_pixels(finding.region, radiograph.width, radiograph.height) if finding.region else None
    if isinstance(finding, SilhouetteFinding):
        return Explanation(finding, box, draw_silhouette(radiograph.pixels, finding, size, overlay_format))
    overlay = draw_gradient(radiograph.pixels, finding, size, overlay_format)
    return Explanation(finding, box, overlay, encode_heatmap(finding))
