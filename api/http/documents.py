"""Answers that are standard documents instead of our own JSON: FHIR Bundles and DICOM objects."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from starlette.responses import Response

from api.errors import InvalidParameter
from api.http.negotiation import FHIR_CONTENT_TYPE, AnswerForm
from api.http.schemas import ExplainQuery, PredictQuery
from api.pipeline import Pipeline
from api.types import ExplainOptions
from serving.backend import Correlation

_LARGEST_CAPTURE = 1024  # pixels; captures are not compressed, and all methods make ten of them


def check_form(query: PredictQuery, form: AnswerForm) -> None:
    """Refuse parameters that this form of answer cannot honour.

    Raises
    ------
    InvalidParameter
        There is a `subject` outside FHIR, or DICOM is to hold overlays that are not lossless, or too large.
    """
    if query.subject is not None and form is not AnswerForm.FHIR:
        raise InvalidParameter(f"subject: has a meaning in FHIR alone; send it with Accept: {AnswerForm.FHIR.value}")
    if form is AnswerForm.DICOM and isinstance(query, ExplainQuery):
        _check_captures(query)


def _check_captures(query: ExplainQuery) -> None:
    if query.overlay_format != "png":
        raise InvalidParameter("overlay_format: must be png where DICOM is wanted, as its captures are lossless")
    if query.overlay_size > _LARGEST_CAPTURE:
        raise InvalidParameter(f"overlay_size: must be at most {_LARGEST_CAPTURE} where DICOM is wanted")


async def answer_document(
    pipeline: Pipeline,
    form: AnswerForm,
    data: bytes,
    options: ExplainOptions | None,
    subject: str | None,
    related: Correlation,
) -> Response:
    """Answer in FHIR or DICOM."""
    if form is AnswerForm.FHIR:
        bundle = await pipeline.fhir(data, options, related, subject=subject)
        return Response(json.dumps(bundle, ensure_ascii=False), headers={"Content-Type": FHIR_CONTENT_TYPE})
    return _multipart(await pipeline.dicom(data, options, related))


def _multipart(files: Sequence[bytes]) -> Response:
    """Put DICOM files into one body that can be stored as it is (PS3.18, section 10.5)."""
    boundary = hashlib.sha256(files[0]).hexdigest()[:32]  # the same on a retry
    media_type = f'{AnswerForm.DICOM.value}; type="application/dicom"; boundary={boundary}'
    return Response(b"".join(_parts(files, boundary)), headers={"Content-Type": media_type})


def _parts(files: Sequence[bytes], boundary: str) -> Iterator[bytes]:
    for file in files:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {len(file)}\r\n\r\n".encode()
        yield file
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
