"""`POST /v1/predict` and `POST /v1/explain`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from api.http.dependencies import GatewayState, RequestId, State, accept_json, admit
from api.http.problems import MEDIA_TYPE, Problem
from api.http.respond import explain_out, predict_out
from api.http.schemas import ExplainOut, ExplainQuery, NoQuery, PredictOut
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
        422: "undecodable-image, not-a-chest-radiograph or invalid-parameter",
        429: "too-many-requests",
        502: "model-server-error",
        503: "model-server-unavailable",
        504: "deadline-exceeded",
    }.items()
}

router = APIRouter(
    prefix="/v1",
    tags=["radiographs"],
    dependencies=[Depends(accept_json), Depends(admit)],
    responses=_PROBLEMS,
)


@router.post("/predict", openapi_extra=_BODY)
async def predict(
    request: Request, _query: Annotated[NoQuery, Query()], state: State, request_id: RequestId
) -> PredictOut:
    """Say NORMAL or PNEUMONIA, with a calibrated probability."""
    report = await state.pipeline.report(await _read(request, state))
    return predict_out(report, request_id)


@router.post("/explain", openapi_extra=_BODY)
async def explain(
    request: Request, query: Annotated[ExplainQuery, Query()], state: State, request_id: RequestId
) -> ExplainOut:
    """Say NORMAL or PNEUMONIA and show why."""
    report = await state.pipeline.report(await _read(request, state), query.options())
    return explain_out(report, request_id)


async def _read(request: Request, state: GatewayState) -> bytes:
    return await read_image(request, state.settings.max_upload_bytes, state.settings.request_timeout_s)
