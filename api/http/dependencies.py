"""What routes are given: the pipeline, the settings, an admission, and the client's wishes.

All are coroutines although none waits: FastAPI would run each plain function in a thread, which costs more than
the function does.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.errors import NotAcceptable, TooManyRequests
from api.pipeline import Pipeline
from api.settings import Settings

_JSON_RANGES = ("application/json", "application/*", "*/*")  # from specific to general


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


async def accept_json(request: Request) -> None:
    """Refuse a client that does not accept JSON.

    Raises
    ------
    NotAcceptable
        The `Accept` header excludes `application/json`.
    """
    accepted = ",".join(request.headers.getlist("accept")) or "*/*"
    qualities = dict(_media_range(part) for part in accepted.split(","))
    # RFC 9110, section 12.5.1: the most specific range that matches decides.
    decisive = next((media_range for media_range in _JSON_RANGES if media_range in qualities), None)
    if decisive is None or qualities[decisive] == 0:
        raise NotAcceptable("The answer can be given as application/json only.")


def _media_range(part: str) -> tuple[str, float]:
    essence, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weights = [parameter.removeprefix("q=") for parameter in parameters if parameter.startswith("q=")]
    try:
        return essence, float(weights[0]) if weights else 1.0
    except ValueError:
        return essence, 1.0
