"""Why the models say so: explanations in rounds, their pictures, and how far they can be trusted."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, ModelCatalogue, input_size
from api.explain import METHODS, STUDY_SIZE
from api.explain.map_tests import shift
from api.explain.trust import assess, examinations
from api.imaging.preprocess import resize_antialiased, to_model_input
from api.imaging.render import render
from api.imaging.render.contour import outline_region
from api.inference import Inference, Request
from api.pipeline.judging import Judgement
from api.rounds import Asking, Returned, advance, in_rounds
from api.types import (
    POSITIVE_LABEL,
    AffectedRegion,
    Answer,
    Assessment,
    ExplainOptions,
    Explanation,
    Finding,
    Judged,
    MapTests,
    OutlinedRegion,
    Radiograph,
    Subject,
)
from api.workers import Workers
from serving.backend import ModelSpec


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanations by method, what they say together, and the region that they outline, if any."""

    explanations: Mapping[str, Explanation] = field(default_factory=dict)
    assessment: Assessment | None = None
    affected_region: OutlinedRegion | None = None


NOT_EXPLAINED = Explained()


class Explaining:
    """Explains judgements."""

    def __init__(self, catalogue: ModelCatalogue, inference: Inference, workers: Workers) -> None:
        self._catalogue = catalogue
        self._inference = inference
        self._workers = workers

    async def explain(
        self, judgement: Judgement, radiograph: Radiograph, options: ExplainOptions, request: Request
    ) -> Explained:
        """Explain a judgement by the methods of the options.

        Raises
        ------
        NotReady, BackendError
            A model is missing, or did not answer as it should.
        """
        # Once: a request is explained by one version of each model.
        needed = dict.fromkeys(model for name in options.methods for model in METHODS[name].models)
        classifier = judgement.classifier
        models = {CLASSIFIER: classifier, **await self._catalogue.find_beside(classifier, needed)}
        with request.watch.stage("preprocess"):
            views = await self._workers.run(_views, radiograph.pixels, input_size(classifier))
        subject = Subject(*views, judgement.lungs, {name: models[name].release for name in needed})
        explainers = {name: METHODS[name].explain(subject, options) for name in options.methods}
        findings = await self._in_rounds(explainers, models, request)
        # Begun now, as drawing needs no assessment; of its time, only what is left after that counts as rendering.
        drawing = asyncio.gather(*(self._workers.run(render, radiograph, f, options) for f in findings.values()))
        try:
            assessment = await self._assess(findings, subject, options, _judged(judgement), models, request)
            with request.watch.stage("render"):
                region = await self._workers.run(_outline, radiograph, assessment, options)
                pictures = await drawing
        finally:
            drawing.cancel()
        return Explained(dict(zip(findings, pictures, strict=True)), assessment, region)

    async def _assess(
        self,
        findings: Mapping[str, Finding],
        subject: Subject,
        options: ExplainOptions,
        judged: Judged,
        models: Mapping[str, ModelSpec],
        request: Request,
    ) -> Assessment:
        """Compare the findings; with `trust=full`, first put each to the test."""
        tests: Mapping[str, MapTests] = {}
        if options.trust == "full":
            with request.watch.stage("explain"):
                shifted = await self._workers.run(_shifted, subject)
                asking = await self._workers.run(examinations, findings, subject, shifted, options)
            tests = await self._in_rounds(asking, models, request)
        with request.watch.stage("explain"):
            return await self._workers.run(assess, findings, subject, tests, judged)

    async def _in_rounds(
        self, asking: Mapping[str, Asking[Returned]], models: Mapping[str, ModelSpec], request: Request
    ) -> Mapping[str, Returned]:
        """Run generators to what they return, answering the questions that they ask on the way."""
        rounds = in_rounds(asking)
        answers: Sequence[Answer] | None = None
        while True:
            with request.watch.stage("explain"):
                step = await self._workers.run(advance, rounds, answers)
            if isinstance(step, Mapping):
                return step
            answers = await self._inference.ask([(models[question.model], question) for question in step], request)


def _judged(judgement: Judgement) -> Judged:
    prediction = judgement.prediction
    return Judged(prediction, prediction.label == POSITIVE_LABEL, judgement.warnings)


def _views(
    pixels: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Give the radiograph as sent, at the study's size, and as the classifier sees it."""
    return pixels, resize_antialiased(pixels, STUDY_SIZE, STUDY_SIZE), to_model_input((pixels,), *size)[0, ..., 0]


def _shifted(subject: Subject) -> Subject:
    """Give the same subject as if the radiograph had been taken with the patient moved slightly."""
    pixels = shift(subject.pixels)
    lungs = None if subject.lungs is None else shift(subject.lungs)
    return Subject(*_views(pixels, subject.seen.shape), lungs, subject.releases)


def _outline(radiograph: Radiograph, assessment: Assessment, options: ExplainOptions) -> OutlinedRegion | None:
    region = assessment.affected_region
    return outline_region(radiograph, region, options) if isinstance(region, AffectedRegion) else None
