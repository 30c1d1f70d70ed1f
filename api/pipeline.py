"""The way of a radiograph through the gateway: the only place where the stages meet.

decode -> preprocess -> infer -> refuse what is no chest radiograph -> explain in rounds -> render -> report. CPU work
runs in a bounded thread pool; inference is awaited.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.acquisition import read_tags
from api.catalogue import CLASSIFIER, LUNG_SEGMENTER, ModelCatalogue, identity, input_size, record
from api.decision import decision_rule
from api.errors import DeadlineExceeded, NotAcceptable, NotAChestRadiograph
from api.explain import METHODS, STUDY_SIZE
from api.explain.map_tests import shift
from api.explain.trust import assess, examinations
from api.gate import CLASSIFIER_OUTPUTS, MASK, InputGate, gives_evidence, input_gate, refusal
from api.imaging.decode import decode
from api.imaging.preprocess import resize_antialiased, to_model_input
from api.imaging.render import render
from api.imaging.render.contour import outline_region
from api.inference import Inference, Request
from api.reports.dicom import dicom_objects
from api.reports.fhir import fhir_bundle
from api.reports.receipt import write_receipt
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
    Policy,
    Prediction,
    Quality,
    Question,
    Radiograph,
    Receipt,
    Report,
    Subject,
)
from api.workers import Workers
from serving.backend import (
    UNRELATED,
    BackendProtocolError,
    Correlation,
    InferenceBackend,
    ModelSpec,
    Priority,
)


class Pipeline:
    """Judges and explains radiographs with the models of one backend."""

    def __init__(self, backend: InferenceBackend, workers: Executor, policy: Policy) -> None:
        self.catalogue = ModelCatalogue(backend)
        self.policy = policy
        self._workers = Workers(workers)
        self._inference = Inference(backend, self.catalogue, self._workers)

    async def report(
        self,
        data: bytes,
        options: ExplainOptions | None = None,
        *,
        from_dicom: bool = False,
        correlation: Correlation = UNRELATED,
    ) -> Report:
        """Judge the radiograph in a file, and explain the answer if `options` are given.

        Explanations are made for PNEUMONIA, and for any answer where the options say `always`. With `from_dicom`,
        only a DICOM object will do, as the answer is to refer to it.

        Raises
        ------
        GatewayError
            The file is not a readable radiograph, it shows something else, or the deadline has passed.
        BackendError
            The model server did not answer as it should.
        """
        deadline = asyncio.get_running_loop().time() + self.policy.request_timeout_s
        request = Request(deadline, Priority.PREDICTION, correlation)
        try:
            async with asyncio.timeout_at(deadline):
                radiograph = await self._read(data, request, from_dicom=from_dicom)
                return await self._judge_and_explain(data, radiograph, options, request)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self.policy.request_timeout_s:g} s.") from error

    async def fhir(self, report: Report, subject: str | None) -> dict[str, Any]:
        """Give an answer as a FHIR R4 Bundle, about `subject` if there is one."""
        return await self._workers.run(fhir_bundle, report, subject)

    async def dicom(self, report: Report) -> Sequence[bytes]:
        """Give an answer to a DICOM object as files: a structured report, and a capture of each overlay."""
        return await self._workers.run(dicom_objects, report)

    async def _read(self, data: bytes, request: Request, *, from_dicom: bool) -> Radiograph:
        with request.watch.stage("decode"):
            radiograph = await self._workers.run(decode, data, max_pixels=self.policy.max_pixels)
        if from_dicom and radiograph.source is None:
            raise NotAcceptable(
                "DICOM objects can only answer a DICOM object, to which they refer. Received: another image format. "
                "Send the radiograph as application/dicom, or accept application/json or application/fhir+json."
            )
        return radiograph

    async def _judge_and_explain(
        self, data: bytes, radiograph: Radiograph, options: ExplainOptions | None, request: Request
    ) -> Report:
        tagged = _check_tags(radiograph, self.policy)
        classifier = await self.catalogue.find(CLASSIFIER)
        prediction, seen, lungs = await self._judge(classifier, radiograph, request, explained=options is not None)
        if seen is not None and not seen.is_chest_xray and self.policy.refuse_other_images:
            raise NotAChestRadiograph(refusal(seen))
        quality = None if seen is None else replace(seen, warnings=tuple(dict.fromkeys((*seen.warnings, *tagged))))
        explanations: Mapping[str, Explanation] | None = None if options is None else {}
        assessment, region = None, None
        positive = prediction.label == POSITIVE_LABEL
        if options is not None and (options.always or positive):
            judged = Judged(prediction, positive, quality.warnings if quality else tagged)
            explanations, assessment, region = await self._explain(
                classifier, radiograph, lungs, judged, options, replace(request, priority=Priority.EXPLANATION)
            )
        return Report(
            model=identity(classifier),
            radiograph=radiograph,
            prediction=prediction,
            quality=quality,
            explanations=explanations,
            receipt=await self._workers.run(self._receipt, data, classifier, prediction, options, request),
            timings_ms=request.watch.timings_ms(),
            assessment=assessment,
            affected_region=region,
        )

    def _receipt(
        self,
        data: bytes,
        classifier: ModelSpec,
        prediction: Prediction,
        options: ExplainOptions | None,
        request: Request,
    ) -> Receipt:
        others = [record(model) for name, model in request.asked.items() if name != classifier.name]
        asked = {"operation": "predict"} if options is None else {"operation": "explain", **asdict(options)}
        decided_by = {
            "decision_threshold": prediction.decision_threshold,
            "prevalence": prediction.prevalence,
            "quality_gate": "on" if self.policy.refuse_other_images else "off",
        }
        return write_receipt(
            data,
            [record(classifier), *others],
            {**asked, **decided_by},
            prediction,
            service_version=self.policy.service_version,
            key=self.policy.receipt_key,
        )

    async def _judge(
        self, classifier: ModelSpec, radiograph: Radiograph, request: Request, *, explained: bool
    ) -> tuple[Prediction, Quality | None, NDArray[np.float32] | None]:
        """Ask classifier and lung segmenter at the same time.

        The quality is None if they give no evidence of it, the lungs' mask if there is no segmenter.
        """
        rule = decision_rule(classifier, self.policy.site)
        gate, segmenter = await self._input_gate(classifier, explained=explained)
        pixels = (radiograph.pixels,)
        outputs = ("probabilities", *(CLASSIFIER_OUTPUTS if gate else ()))
        asked = [(classifier, Question(CLASSIFIER, pixels, outputs))]
        if segmenter is not None:
            asked.append((segmenter, Question(LUNG_SEGMENTER, pixels, (MASK,))))
        answer, *masks = await self._inference.ask(asked, request)
        quality = None if gate is None else await self._workers.run(gate.judge, answer, *masks)
        lungs = np.asarray(masks[0][MASK][0], dtype=np.float32) if masks else None
        return rule.decide(answer["probabilities"][0]), quality, lungs

    async def _input_gate(self, classifier: ModelSpec, *, explained: bool) -> tuple[InputGate | None, ModelSpec | None]:
        """Find the gate and the lung segmenter; with `refuse_other_images`, both have to be there.

        Without a gate, explanations need the segmenter all the same: they have to know where the lungs are.
        """
        required, evident = self.policy.refuse_other_images, gives_evidence(classifier)
        if required and not evident:
            raise BackendProtocolError(f"{CLASSIFIER!r} must have the outputs {CLASSIFIER_OUTPUTS}.")
        segmenter = None
        if required or ((evident or explained) and LUNG_SEGMENTER in await self.catalogue.all()):
            segmenter = await self.catalogue.find(LUNG_SEGMENTER)
        return input_gate(classifier, segmenter) if evident else None, segmenter

    async def _explain(
        self,
        classifier: ModelSpec,
        radiograph: Radiograph,
        lungs: NDArray[np.float32] | None,
        judged: Judged,
        options: ExplainOptions,
        request: Request,
    ) -> tuple[Mapping[str, Explanation], Assessment, OutlinedRegion | None]:
        # Once: a request is explained by one version of each model.
        needed = dict.fromkeys(model for name in options.methods for model in METHODS[name].models)
        models = {CLASSIFIER: classifier, **await self.catalogue.find_beside(classifier, needed)}
        releases = {name: models[name].release for name in needed}
        with request.watch.stage("preprocess"):
            views = await self._workers.run(_views, radiograph.pixels, input_size(classifier))
        subject = Subject(*views, lungs, releases)
        explainers = {name: METHODS[name].explain(subject, options) for name in options.methods}
        findings = await self._in_rounds(explainers, models, request)
        # Begun now, as drawing needs no assessment; of its time, only what is left after that counts as rendering.
        drawing = asyncio.gather(*(self._workers.run(render, radiograph, f, options) for f in findings.values()))
        try:
            assessment = await self._assess(findings, subject, options, judged, models, request)
            with request.watch.stage("render"):
                region = await self._workers.run(_outline, radiograph, assessment, options)
                pictures = await drawing
        finally:
            drawing.cancel()
        return dict(zip(findings, pictures, strict=True)), assessment, region

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


def _check_tags(radiograph: Radiograph, policy: Policy) -> tuple[str, ...]:
    """Give the warnings that come from the tags of a DICOM object; refuse what they plainly speak against."""
    if radiograph.source is None:
        return ()
    tagged = read_tags(radiograph.source.acquisition)
    if tagged.refusal is not None and policy.refuse_other_images:
        raise tagged.refusal
    return tagged.warnings


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
