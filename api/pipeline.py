"""The way of a radiograph through the gateway: the only place where the stages meet.

decode -> preprocess -> infer -> refuse what is no chest radiograph -> explain -> render. CPU work runs in a bounded
thread pool; inference is awaited.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, IMAGE, LUNG_SEGMENTER, ModelCatalogue, identity, input_size
from api.decision import POSITIVE_LABEL, decision_rule
from api.errors import DeadlineExceeded, NotAChestRadiograph
from api.explain import METHODS, STUDY_SIZE, Method
from api.gate import CLASSIFIER_OUTPUTS, MASK, InputGate, gives_evidence, input_gate, refusal
from api.imaging.decode import decode
from api.imaging.geometry import to_pixels
from api.imaging.preprocess import resize_antialiased, to_model_inputs
from api.imaging.render import draw_gradient, draw_silhouette, encode_heatmap
from api.stopwatch import Stopwatch
from api.types import (
    Answer,
    ExplainOptions,
    Explanation,
    Finding,
    Policy,
    Prediction,
    Quality,
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

    def __init__(self, backend: InferenceBackend, workers: Executor, policy: Policy) -> None:
        self.catalogue = ModelCatalogue(backend)
        self.policy = policy
        self._backend = backend
        self._workers = workers

    async def report(self, data: bytes, options: ExplainOptions | None = None) -> Report:
        """Judge the radiograph in a file, and explain the answer if `options` are given.

        Explanations are made for PNEUMONIA, and for any answer where the options say `always`.

        Raises
        ------
        GatewayError
            The file is not a readable radiograph, it shows something else, or the deadline has passed.
        BackendError
            The model server did not answer as it should.
        """
        deadline = asyncio.get_running_loop().time() + self.policy.request_timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                return await self._judge_and_explain(data, options, _Request(deadline, Priority.PREDICTION))
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self.policy.request_timeout_s:g} s.") from error

    async def _judge_and_explain(self, data: bytes, options: ExplainOptions | None, request: _Request) -> Report:
        with request.watch.stage("decode"):
            radiograph = await self._in_worker(decode, data, max_pixels=self.policy.max_pixels)
        classifier = await self.catalogue.find(CLASSIFIER)
        prediction, quality = await self._judge(classifier, radiograph, request)
        if quality is not None and not quality.is_chest_xray and self.policy.refuse_other_images:
            raise NotAChestRadiograph(refusal(quality))
        explanations = None if options is None else await self._explain(radiograph, prediction, options, request)
        return Report(
            model=identity(classifier),
            radiograph=radiograph,
            prediction=prediction,
            quality=quality,
            explanations=explanations,
            timings_ms=request.watch.timings_ms(),
        )

    async def _judge(
        self, classifier: ModelSpec, radiograph: Radiograph, request: _Request
    ) -> tuple[Prediction, Quality | None]:
        """Ask classifier and lung segmenter at the same time. The quality is None if they give no evidence of it."""
        rule = decision_rule(classifier, self.policy.site)
        gate, segmenter = await self._input_gate(classifier)
        wanted = [(classifier, ("probabilities", *(CLASSIFIER_OUTPUTS if gate else ())))]
        if segmenter is not None:
            wanted.append((segmenter, (MASK,)))
        answer, *masks = await self._ask_all(wanted, (radiograph.pixels,), request)
        quality = None if gate is None else await self._in_worker(gate.judge, answer, *masks)
        return rule.decide(answer["probabilities"][0]), quality

    async def _input_gate(self, classifier: ModelSpec) -> tuple[InputGate | None, ModelSpec | None]:
        """Find the gate and the lung segmenter; with `refuse_other_images`, both have to be there."""
        required = self.policy.refuse_other_images
        if not gives_evidence(classifier):
            if required:
                raise BackendProtocolError(f"{CLASSIFIER!r} must have the outputs {CLASSIFIER_OUTPUTS}.")
            return None, None
        segmenter = None
        if required or LUNG_SEGMENTER in await self.catalogue.all():
            segmenter = await self.catalogue.find(LUNG_SEGMENTER)
        return input_gate(classifier, segmenter), segmenter

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
        (answer,) = await self._ask_all([(model, question.outputs)], question.images, request)
        return answer

    async def _ask_all(
        self,
        wanted: Sequence[tuple[ModelSpec, tuple[str, ...]]],
        images: Sequence[NDArray[np.uint8]],
        request: _Request,
    ) -> Sequence[Answer]:
        """Ask models for outputs on the same images, all at once: a stage lasts until the last one is through it."""
        sizes = list(dict.fromkeys(input_size(model) for model, _ in wanted))
        with request.watch.stage("preprocess"):
            batches = await self._in_worker(to_model_inputs, images, sizes)
        with request.watch.stage("inference"):
            return await _at_once(
                self._infer(model, batches[input_size(model)], outputs, request) for model, outputs in wanted
            )

    async def _infer(
        self, model: ModelSpec, batch: NDArray[np.uint8], outputs: tuple[str, ...], request: _Request
    ) -> Answer:
        try:
            answer = await self._backend.infer(
                model, {IMAGE: batch}, outputs, timeout=request.time_left(), priority=request.priority
            )
        except BackendUnavailable:
            # The model may have been replaced by a newer version: ask which one is served.
            self.catalogue.forget()
            raise
        return _finite(model, answer)

    async def _in_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, lambda: function(*args, **kwargs))


async def _at_once(work: Iterable[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """Wait for all results. The first failure calls off the rest, which nobody wants any more."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


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
