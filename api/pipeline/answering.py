"""From the bytes of a file to an answer, in one of its forms, before a deadline."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

from api.catalogue import ModelCatalogue, identity, record
from api.errors import DeadlineExceeded, NotAcceptable
from api.imaging.decode import decode
from api.inference import Inference, Request
from api.pipeline.explaining import NOT_EXPLAINED, Explaining
from api.pipeline.judging import Judgement, Judging
from api.reports.dicom import dicom_objects
from api.reports.dicom.source import read_source
from api.reports.fhir import fhir_bundle
from api.reports.receipt import write_receipt
from api.types import POSITIVE_LABEL, ExplainOptions, Policy, Radiograph, Receipt, Report
from api.workers import Workers
from serving.backend import UNRELATED, Correlation, InferenceBackend, Priority


class Pipeline:
    """Judges and explains radiographs with the models of one backend.

    Each way to answer raises the errors of the others too: `GatewayError` where the file is not a readable radiograph,
    shows something else, or the deadline has passed, and `BackendError` where the model server did not answer as it
    should.
    """

    def __init__(self, backend: InferenceBackend, workers: Executor, policy: Policy) -> None:
        self.catalogue = ModelCatalogue(backend)
        self.policy = policy
        self._workers = Workers(workers)
        inference = Inference(backend, self.catalogue, self._workers)
        self._judging = Judging(self.catalogue, inference, self._workers, policy)
        self._explaining = Explaining(self.catalogue, inference, self._workers)

    async def report(
        self, data: bytes, options: ExplainOptions | None = None, correlation: Correlation = UNRELATED
    ) -> Report:
        """Judge the radiograph in a file, and explain the answer if `options` are given.

        Explanations are made for PNEUMONIA, and for any answer where the options say `always`.
        """
        async with self._request(correlation) as request:
            return await self._report(data, await self._read(data, request), options, request)

    async def fhir(
        self,
        data: bytes,
        options: ExplainOptions | None = None,
        correlation: Correlation = UNRELATED,
        *,
        subject: str | None = None,
    ) -> dict[str, Any]:
        """Give the same as a FHIR R4 Bundle, about `subject` if there is one."""
        async with self._request(correlation) as request:
            report = await self._report(data, await self._read(data, request), options, request)
            return await self._workers.run(fhir_bundle, report, subject)

    async def dicom(
        self, data: bytes, options: ExplainOptions | None = None, correlation: Correlation = UNRELATED
    ) -> Sequence[bytes]:
        """Give the same as DICOM files: a structured report, then a capture of each overlay.

        Raises
        ------
        NotAcceptable
            The file is no DICOM object that others can refer to.
        """
        async with self._request(correlation) as request:
            radiograph = await self._read(data, request)
            await self._workers.run(_check_referable, radiograph)
            return await self._workers.run(dicom_objects, await self._report(data, radiograph, options, request))

    @asynccontextmanager
    async def _request(self, correlation: Correlation) -> AsyncIterator[Request]:
        """Bound all that is done for one request by its deadline."""
        deadline = asyncio.get_running_loop().time() + self.policy.request_timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                yield Request(deadline, Priority.PREDICTION, correlation)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self.policy.request_timeout_s:g} s.") from error

    async def _read(self, data: bytes, request: Request) -> Radiograph:
        with request.watch.stage("decode"):
            return await self._workers.run(decode, data, max_pixels=self.policy.max_pixels)

    async def _report(
        self, data: bytes, radiograph: Radiograph, options: ExplainOptions | None, request: Request
    ) -> Report:
        judgement = await self._judging.judge(radiograph, request, explained=options is not None)
        explained = NOT_EXPLAINED
        if options is not None and (options.always or judgement.prediction.label == POSITIVE_LABEL):
            later = replace(request, priority=Priority.EXPLANATION)
            explained = await self._explaining.explain(judgement, radiograph, options, later)
        return Report(
            model=identity(judgement.classifier),
            radiograph=radiograph,
            prediction=judgement.prediction,
            quality=judgement.quality,
            explanations=None if options is None else explained.explanations,
            receipt=await self._workers.run(self._receipt, data, judgement, options, request),
            timings_ms=request.watch.timings_ms(),
            assessment=explained.assessment,
            affected_region=explained.affected_region,
        )

    def _receipt(self, data: bytes, judgement: Judgement, options: ExplainOptions | None, request: Request) -> Receipt:
        classifier, prediction = judgement.classifier, judgement.prediction
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


def _check_referable(radiograph: Radiograph) -> None:
    """Refuse early what no DICOM object can answer: explanations may take half a minute."""
    if radiograph.source is None:
        raise NotAcceptable(
            "DICOM objects can only answer a DICOM object, to which they refer. Received: another image format. "
            "Send the radiograph as application/dicom, or accept application/json or application/fhir+json."
        )
    read_source(radiograph.source.header)
