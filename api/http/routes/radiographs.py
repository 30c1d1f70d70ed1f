"""`POST /v1/predict` and `POST /v1/explain`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.http.dependencies import Form, GatewayState, Related, RequestId, State, admit, refuse_repeated_parameters
from api.http.documents import answer_document, check_form
from api.http.negotiation import AnswerForm
from api.http.problems import MEDIA_TYPE, Problem
from api.http.respond import explain_out, predict_out
from api.http.schemas import ExplainOut, ExplainQuery, PredictOut, PredictQuery
from api.http.upload import FIELD, read_image

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The radiograph: a form with one file field, or the bare image.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            "image/png": _BINARY,
            "image/jpeg": _BINARY,
            "application/dicom": _BINARY,
        },
    }
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": name, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, name in {
        400: "invalid-request",
        406: "not-acceptable",
        408: "upload-timeout",
        413: "image-too-large",
        415: "unsupported-media-type",
        422: "undecodable-image, not-a-chest-radiograph, unsupported-view or invalid-parameter",
        429: "too-many-requests",
        502: "model-server-error",
        503: "model-server-unavailable",
        504: "deadline-exceeded",
    }.items()
}

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer. With FHIR, errors are OperationOutcomes.",
        "content": {
            AnswerForm.FHIR.value: {"schema": {"type": "object", "description": "A FHIR R4 Bundle (transaction)."}},
            AnswerForm.DICOM.value: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "For a DICOM image: a Comprehensive 3D SR, and a Secondary Capture per overlay.",
                }
            },
        },
    }
}

router = APIRouter(
    prefix="/v1",
    tags=["radiographs"],
    dependencies=[Depends(refuse_repeated_parameters), Depends(admit)],
    responses=_FORMS | _PROBLEMS,
)


@router.post("/predict", openapi_extra=_BODY, response_model=PredictOut)
async def predict(
    request: Request,
    query: Annotated[PredictQuery, Query()],
    state: State,
    request_id: RequestId,
    related: Related,
    form: Form,
) -> PredictOut | Response:
    """Say NORMAL or PNEUMONIA, with a calibrated probability."""
    check_form(query, form)
    data = await _read(request, state)
    if form is not AnswerForm.JSON:
        return await answer_document(state.pipeline, form, data, None, query.subject, related)
    return predict_out(await state.pipeline.report(data, None, related), request_id)


@router.post("/explain", openapi_extra=_BODY, response_model=ExplainOut)
async def explain(
    request: Request,
    query: Annotated[ExplainQuery, Query()],
    state: State,
    request_id: RequestId,
    related: Related,
    form: Form,
) -> ExplainOut | Response:
    """Say NORMAL or PNEUMONIA and show why."""
    check_form(query, form)
    data = await _read(request, state)
    if form is not AnswerForm.JSON:
        return await answer_document(state.pipeline, form, data, query.options(), query.subject, related)
    return explain_out(await state.pipeline.report(data, query.options(), related), request_id)


async def _read(request: Request, state: GatewayState) -> bytes:
    return await read_image(request, state.settings.max_upload_bytes, state.settings.request_timeout_s)
