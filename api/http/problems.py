"""Errors as RFC 9457 problem documents: one table, one function."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InvalidParameter,
    InvalidRequest,
    NotAcceptable,
    NotAChestRadiograph,
    NotReady,
    TooManyRequests,
    UndecodableImage,
    UnsupportedMediaType,
    UnsupportedView,
    UploadTimeout,
)
from api.http.negotiation import FHIR_CONTENT_TYPE, wants_fhir
from api.reports.fhir import operation_outcome
from serving.backend import BackendError, BackendProtocolError, BackendTimeout, BackendUnavailable

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger("cxr")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A row of the error table. `detail` stands in for the error's own message where that must stay inside."""

    status: HTTPStatus
    name: str
    title: str
    detail: str | None = None
    retry_after_s: int | None = None


INTERNAL_ERROR = ProblemType(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "The gateway failed",
    "The gateway failed to answer. The request id helps its operators to find out why.",
)
PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {
    InvalidRequest: ProblemType(HTTPStatus.BAD_REQUEST, "invalid-request", "The request holds no usable image"),
    NotAcceptable: ProblemType(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", "No acceptable form of answer"),
    ImageTooLarge: ProblemType(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "image-too-large", "The image is too large"),
    UnsupportedMediaType: ProblemType(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The image format is not supported"
    ),
    UndecodableImage: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable-image", "The image cannot be decoded"),
    NotAChestRadiograph: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY, "not-a-chest-radiograph", "The image is not a chest radiograph"
    ),
    UnsupportedView: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unsupported-view", "The view is not a frontal one of the chest"
    ),
    InvalidParameter: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", "A parameter is unknown or out of range"
    ),
    UploadTimeout: ProblemType(HTTPStatus.REQUEST_TIMEOUT, "upload-timeout", "The image did not arrive in time"),
    TooManyRequests: ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many requests are in work", retry_after_s=1
    ),
    DeadlineExceeded: ProblemType(
        HTTPStatus.GATEWAY_TIMEOUT, "deadline-exceeded", "The answer took too long", "No answer before the deadline."
    ),
    BackendProtocolError: ProblemType(
        HTTPStatus.BAD_GATEWAY,
        "model-server-error",
        "The model server failed",
        "The model server's answer could not be used.",
    ),
    BackendUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "model-server-unavailable",
        "The model server is not available",
        "The model server is away, still loading or full. Try again later.",
        retry_after_s=5,
    ),
    # Of the same type as the row above, but it says what is missing.
    NotReady: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "model-server-unavailable",
        "The model server is not available",
        retry_after_s=5,
    ),
    BackendTimeout: ProblemType(
        HTTPStatus.GATEWAY_TIMEOUT, "deadline-exceeded", "The answer took too long", "No answer before the deadline."
    ),
}


def problem_type_of(error: Exception) -> ProblemType:
    """Find the row of the error table; whatever is not in it is the gateway's own failure."""
    return PROBLEM_TYPES.get(type(error), INTERNAL_ERROR)


def problem_response(request: Request, kind: ProblemType, detail: str) -> JSONResponse:
    """Answer with a problem document, or with a FHIR OperationOutcome where the client wants FHIR."""
    problem = Problem(
        type=f"/problems/{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=request.url.path,
        request_id=request.state.request_id,
    )
    headers = {} if kind.retry_after_s is None else {"Retry-After": str(kind.retry_after_s)}
    if wants_fhir(request):
        outcome = operation_outcome(kind.name, kind.status, kind.title, detail)
        return JSONResponse(outcome, kind.status, headers, FHIR_CONTENT_TYPE)
    return JSONResponse(problem.model_dump(), kind.status, headers, MEDIA_TYPE)


def answer_exception(request: Request, error: Exception) -> JSONResponse:
    """Answer any error of the gateway, the backend or the framework.

    The texts of server errors stay generic; what a backend says goes to the operators' log.
    """
    match error:
        case RequestValidationError():
            return problem_response(request, PROBLEM_TYPES[InvalidParameter], _broken_rules(error))
        case HTTPException():
            return _answer_http_exception(request, error)
        case _:
            kind = problem_type_of(error)
            if isinstance(error, BackendError | NotReady):
                log.warning("request %s: %s: %s", request.state.request_id, type(error).__name__, error)
            return problem_response(request, kind, kind.detail or str(error))


def _broken_rules(error: RequestValidationError) -> str:
    """Name the parameters and the rules they break, not what was received."""
    rules = ((item["loc"][-1], item["msg"].removeprefix("Value error, ")) for item in error.errors())
    return "; ".join(f"{parameter}: {rule}" for parameter, rule in rules)


def _answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what the framework itself refuses: an unknown path or method."""
    status = HTTPStatus(error.status_code)
    kind = ProblemType(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    response = problem_response(request, kind, status.description or status.phrase)
    response.headers.update(error.headers or {})
    return response
