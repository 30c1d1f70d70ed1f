"""What a client sends to tie its request to those of other systems: `X-Request-Id` and W3C Trace Context.

Both are taken over only if they are well-formed, as they go into headers, logs and the model server. The trace is
passed on with its parent id as it came: the gateway records no spans, and a new parent id would point to none.
"""

import re
import uuid

from starlette.datastructures import Headers

from serving.backend import Correlation

REQUEST_ID_HEADER = "X-Request-Id"
_WHITESPACE = " \t"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")

# Limits and grammar of the W3C recommendation "Trace Context" of 23 November 2021, section 3.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01
_SIMPLE_KEY = r"[a-z][a-z0-9_\-*/]{0,255}"
_TENANT_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_VALUE = r"[ -+\--<>-~]{0,255}[!-+\--<>-~]"  # printable ASCII without comma and equals sign, no space at the end
_LIST_MEMBER = re.compile(rf"(?:{_SIMPLE_KEY}|{_TENANT_KEY})={_VALUE}")
_MOST_MEMBERS = 32
_MOST_CHARACTERS = 512
_LONG_MEMBER = 128


def correlation_of(headers: Headers) -> Correlation:
    """Read what ties a request to others, with a request id of our own where it has none that is safe to repeat."""
    traceparent = _traceparent(_values(headers, "traceparent"))
    tracestate = _tracestate(_values(headers, "tracestate")) if traceparent else ""
    return Correlation(_request_id(headers), traceparent, tracestate)


def _values(headers: Headers, name: str) -> list[str]:
    """Give the values of a header without the white space around them, which servers may leave there."""
    return [value.strip(_WHITESPACE) for value in headers.getlist(name)]


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID_HEADER, "").strip(_WHITESPACE)
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _traceparent(values: list[str]) -> str:
    """Give the one well-formed value, empty otherwise; of a later version, the fields that version 00 has."""
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return ""
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "00":
        return "" if more else values[0]
    return f"00-{trace_id}-{parent_id}-{int(flags, 16) & _SAMPLED:02x}"


def _tracestate(values: list[str]) -> str:
    """Give the list of all values, empty if it is malformed, cut to the size that has to be passed on."""
    parts = (part.strip(_WHITESPACE) for part in ",".join(values).split(","))
    members = [part for part in parts if part]
    keys = {member.partition("=")[0] for member in members}
    if not all(map(_LIST_MEMBER.fullmatch, members)) or len(members) > _MOST_MEMBERS or len(keys) < len(members):
        return ""
    return ",".join(_within_limit(members))


def _within_limit(members: list[str]) -> list[str]:
    """Leave out whole members, long ones first, then from the end ("tracestate Limits")."""
    kept = list(members)
    while len(",".join(kept)) > _MOST_CHARACTERS:
        long = [index for index, member in enumerate(kept) if len(member) > _LONG_MEMBER]
        del kept[long[-1] if long else -1]
    return kept
