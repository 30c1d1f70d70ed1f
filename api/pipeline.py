"""The way of a radiograph through the gateway: the only place where the stages meet.

decode -> preprocess -> infer -> refuse what is no chest radiograph -> explain in rounds -> render. CPU work runs in a
bounded thread pool; inference is awaited.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, LUNG_SEGMENTER, ModelCatalogue, identity, input_size
from api.decision import POSITIVE_LABEL, decision_rule
from api.errors import DeadlineExceeded, NotAChestRadiograph
from api.explain import METHODS, STUDY_SIZE
from api.gate import CLASSIFIER_OUTPUTS, MASK, InputGate, gives_evidence, input_gate, refusal
from api.imaging.decode import decode
from api.imaging.preprocess import resize_antialiased, to_model_input
from api.imaging.render import render
from api.inference import Inference, Request
from api.rounds import advance, in_rounds
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
    Subject,
)
from api.workers import Workers
from serving.backend import BackendProtocolError, InferenceBackend, ModelSpec, Priority


class Pipeline:
    """Judges and explains radiographs with the models of one backend."""

    def __init__(self, backend: InferenceBackend, workers: Executor, policy: Policy) -> None:
        self.catalogue = ModelCatalogue(backend)
        self.policy = policy
        self._workers = Workers(workers)
        self._inference = Inference(backend, self.catalogue, self._workers)

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
                return await self._judge_and_explain(data, options, Request(deadline, Priority.PREDICTION))
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self.policy.request_timeout_s:g} s.") from error

    async def _judge_and_explain(self, data: bytes, options: ExplainOptions | None, request: Request) -> Report:
        with request.watch.stage("decode"):
            radiograph = await self._workers.run(decode, data, max_pixels=self.policy.max_pixels)
        classifier = await self.catalogue.find(CLASSIFIER)
        prediction, quality, lungs = await self._judge(classifier, radiograph, request)
        if quality is not None and not quality.is_chest_xray and self.policy.refuse_other_images:
            raise NotAChestRadiograph(refusal(quality))
        explanations: Mapping[str, Explanation] | None = None if options is None else {}
        if options is not None and (options.always or prediction.label == POSITIVE_LABEL):
            explaining = Request(request.deadline, Priority.EXPLANATION, request.watch)
            explanations = await self._explain(classifier, radiograph, lungs, options, explaining)
        return Report(
            model=identity(classifier),
            radiograph=radiograph,
            prediction=prediction,
            quality=quality,
            explanations=explanations,
            timings_ms=request.watch.timings_ms(),
        )

    async def _judge(
        self, classifier: ModelSpec, radiograph: Radiograph, request: Request
    ) -> tuple[Prediction, Quality | None, NDArray[np.float32] | None]:
        """Ask classifier and lung segmenter at the same time.

        The quality is None if they give no evidence of it, the lungs' mask if there is no segmenter.
        """
        rule = decision_rule(classifier, self.policy.site)
        gate, segmenter = await self._input_gate(classifier)
        pixels = (radiograph.pixels,)
        outputs = ("probabilities", *(CLASSIFIER_OUTPUTS if gate else ()))
        asked = [(classifier, Question(CLASSIFIER, pixels, outputs))]
        if segmenter is not None:
            asked.append((segmenter, Question(LUNG_SEGMENTER, pixels, (MASK,))))
        answer, *masks = await self._inference.ask(asked, request)
        quality = None if gate is None else await self._workers.run(gate.judge, answer, *masks)
        lungs = np.asarray(masks[0][MASK][0], dtype=np.float32) if masks else None
        return rule.decide(answer["probabilities"][0]), quality, lungs

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
        self,
        classifier: ModelSpec,
        radiograph: Radiograph,
        lungs: NDArray[np.float32] | None,
        options: ExplainOptions,
        request: Request,
    ) -> Mapping[str, Explanation]:
        # Once: a request is explained by one version of each model.
        needed = dict.fromkeys(model for name in options.methods for model in METHODS[name].models)
        models = await self.catalogue.find_beside(classifier, needed)
        releases = {name: model.release for name, model in models.items()}
        with request.watch.stage("preprocess"):
            views = await self._workers.run(_views, radiograph.pixels, input_size(classifier))
        findings = await self._find(Subject(*views, lungs, releases), options, models, request)
        with request.watch.stage("render"):
            return {
                name: await self._workers.run(render, radiograph, finding, options)
                for name, finding in findings.items()
            }

    async def _find(
        self, subject: Subject, options: ExplainOptions, models: Mapping[str, ModelSpec], request: Request
    ) -> Mapping[str, Finding]:
        """Run the methods to their findings, answering the questions that they ask on the way."""
        rounds = in_rounds({name: METHODS[name].explain(subject, options) for name in options.methods})
        answers: Sequence[Answer] | None = None
        while True:
            with request.watch.stage("explain"):
                step = await self._workers.run(advance, rounds, answers)
            if isinstance(step, Mapping):
                return step
            answers = await self._inference.ask([(models[question.model], question) for question in step], request)


def _views(
    pixels: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Give the radiograph as sent, at the study's size, and as the classifier sees it."""
    return pixels, resize_antialiased(pixels, STUDY_SIZE, STUDY_SIZE), to_model_input((pixels,), *size)[0, ..., 0]
