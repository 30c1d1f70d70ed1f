"""What routes are given: the pipeline, the settings, an admission, and the client's wishes.

All are coroutines although none waits: FastAPI would run each plain function in a thread, which costs more than
the function does.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.errors import InvalidParameter, TooManyRequests
from api.http.negotiation import AnswerForm, answer_form
from api.pipeline import Pipeline
from api.settings import Settings
from serving.backend import Correlation


@dataclass(slots=True)
class Admission:
    """Counts requests in work, so that uploads cannot fill the memory."""

    limit: int
    in_work: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What lives as long as the application. It is made in the lifespan and kept in `app.state.gateway`."""

    settings: Settings
    pipeline: Pipeline
    admission: Admission


async def _state(request: Request) -> GatewayState:
    state: GatewayState = request.app.state.gateway
    return state


State = Annotated[GatewayState, Depends(_state)]


async def _request_id(request: Request) -> str:
    return str(request.state.request_id)


RequestId = Annotated[str, Depends(_request_id)]


async def admit(state: State) -> AsyncIterator[None]:
    """Let a request in while fewer than the limit are in work.

    Raises
    ------
    TooManyRequests
        The limit is reached.
    """
    admission = state.admission
    if admission.in_work >= admission.limit:
        raise TooManyRequests("The gateway has as many requests in work as it admits. Try again shortly.")
    admission.in_work += 1
    try:
        yield
    finally:
        admission.in_work -= 1


async def refuse_repeated_parameters(request: Request) -> None:
    """Refuse a parameter that is given twice: one of its values would have no effect.

    Raises
    ------
    InvalidParameter
        One is.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(set(names)) != len(names):
        raise InvalidParameter("Each parameter must be given once. Received: one of them repeatedly.")


async def _answer_form(request: Request) -> AnswerForm:
    return answer_form(request)


Form = Annotated[AnswerForm, Depends(_answer_form)]


async def _correlation(request: Request) -> Correlation:
    correlation: Correlation = request.state.correlation
    return correlation


Related = Annotated[Correlation, Depends(_correlation)]
