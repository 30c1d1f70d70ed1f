"""Pure ASGI middleware: request ids, response headers, one log line per request, and the last line of defence."""

import logging
import time
import traceback

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.correlation import REQUEST_ID_HEADER, correlation_of
from api.http.problems import INTERNAL_ERROR, problem_response
from serving.backend import Correlation

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # answers hold pictures of a patient
}

_CLIENT_CLOSED_REQUEST = 499  # nginx's number, known to those who read logs

log = logging.getLogger("cxr.access")


class CorrelationMiddleware:
    """Gives every request an id and the trace that its client names, and every answer the id and common headers.

    No `traceparent` is answered: the W3C recommendation has it in requests alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = correlation_of(Headers(scope=scope))
        state = scope.setdefault("state", {})
        state["request_id"] = correlation.request_id
        state["correlation"] = correlation

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = correlation.request_id
                headers.add_vary_header("Accept")  # errors come in several forms on every path
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AccessLogMiddleware:
    """Logs method, path, status and duration; never query, headers or body, which may identify a patient."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            status = _CLIENT_CLOSED_REQUEST  # nobody is left to answer
        finally:
            elapsed_ms = (time.perf_counter() - started) * 1000
            whose = _named(scope["state"]["correlation"])
            log.info("%s %s %d %.1f ms %s", scope["method"], _route(scope), status, elapsed_ms, whose)


class LastResortMiddleware:
    """Turns an unforeseen error into a generic 500 and logs where it happened, without its message.

    The message of an arbitrary exception can repeat parts of the input.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            raise
        except Exception as error:
            request = Request(scope)
            _log_failure(error, request.state.request_id)
            if started:
                raise ConnectionError("The answer broke off.") from None
            await problem_response(request, INTERNAL_ERROR, str(INTERNAL_ERROR.detail))(scope, receive, send)


def _named(correlation: Correlation) -> str:
    trace = f" trace {correlation.trace_id}" if correlation.traceparent else ""
    return correlation.request_id + trace


def _route(scope: Scope) -> str:
    # The route's pattern, not the path: an unknown path could hold anything.
    return getattr(scope.get("route"), "path", "(no route)")


def _log_failure(error: Exception, request_id: str) -> None:
    frames = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger("cxr").error("request %s failed: %s at\n%s", request_id, type(error).__name__, frames)
