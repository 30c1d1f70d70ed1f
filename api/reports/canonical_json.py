"""JSON of which there is one way to write it (RFC 8785, JSON Canonicalization Scheme), so that it can be signed."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Write JSON without white space, its keys sorted, its numbers as ECMAScript writes them, in UTF-8.

    Raises
    ------
    TypeError
        It is, or holds, what JSON has no form for.
    ValueError
        A number is not finite.
    """
    return _text(value).encode()


def _text(value: Any) -> str:
    match value:
        case Mapping():
            members = sorted(value.items(), key=lambda member: str(member[0]).encode("utf-16-be"))
            return "{" + ",".join(f"{_text(name)}:{_text(each)}" for name, each in members) + "}"
        case float():
            return _number(value)
        case Sequence() if not isinstance(value, str):
            return "[" + ",".join(map(_text, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Write a number as ECMA-262 does (Number::toString), given the same shortest digits as Python's."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"A number in JSON must be finite. Received: {value}")
    return "-" * bool(sign and value) + _decimal("".join(map(str, digits)), len(digits) + exponent)


def _decimal(digits: str, point: int) -> str:
    """Write significant digits whose decimal point comes after the one of the given number."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    return ".".join(filter(None, (digits[0], digits[1:]))) + f"e{point - 1:+d}"
