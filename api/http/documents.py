"""Answers that are standard documents instead of our own JSON: FHIR Bundles and DICOM objects."""

import json
from collections.abc import Iterator, Sequence

from starlette.responses import Response

from api.errors import InvalidParameter
from api.http.negotiation import FHIR_CONTENT_TYPE, AnswerForm
from api.http.schemas import ExplainQuery, PredictQuery
from api.pipeline import Pipeline
from api.reports.identity import uuid_of
from api.types import Report


def check_form(query: PredictQuery, form: AnswerForm) -> None:
    """Refuse parameters that would have no effect on this form of answer.

    Raises
    ------
    InvalidParameter
        There is a `subject` outside FHIR, or DICOM is to hold overlays that are not lossless.
    """
    if query.subject is not None and form is not AnswerForm.FHIR:
        raise InvalidParameter(f"subject: has a meaning in FHIR alone; send it with Accept: {AnswerForm.FHIR.value}")
    lossy = isinstance(query, ExplainQuery) and query.overlay_format != "png"
    if lossy and form is AnswerForm.DICOM:
        raise InvalidParameter("overlay_format: must be png where DICOM is wanted, as its captures are lossless")


async def answer_document(pipeline: Pipeline, report: Report, form: AnswerForm, subject: str | None) -> Response:
    """Answer in FHIR or DICOM."""
    if form is AnswerForm.FHIR:
        bundle = await pipeline.fhir(report, subject)
        return Response(json.dumps(bundle, ensure_ascii=False), headers={"Content-Type": FHIR_CONTENT_TYPE})
    return _multipart(await pipeline.dicom(report), boundary=uuid_of(report.receipt, "boundary").hex)


def _multipart(files: Sequence[bytes], boundary: str) -> Response:
    """Put DICOM files into one body that can be stored as it is (PS3.18, section 10.5)."""
    media_type = f'{AnswerForm.DICOM.value}; type="application/dicom"; boundary={boundary}'
    return Response(b"".join(_parts(files, boundary)), headers={"Content-Type": media_type})


def _parts(files: Sequence[bytes], boundary: str) -> Iterator[bytes]:
    for file in files:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {len(file)}\r\n\r\n".encode()
        yield file
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
