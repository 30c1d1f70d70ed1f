"""The media types that an `Accept` header allows (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_WHITESPACE = " \t"
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_ESSENCE = re.compile(rf"{_TOKEN}/{_TOKEN}")
# A media type as value must be quoted. Clients of DICOMweb often forget it, and it can mean nothing else.
_PARAMETER = re.compile(rf'({_TOKEN})=(?:"((?:[^"\\]|\\.)*)"|([^\s"\\]+))')
# As the grammar has it, and `.2`, which Java's own client sends.
_WEIGHT = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?|\.[0-9]+")
# A quoted separator separates nothing. A quote that is never closed runs to the end, so that matching stays linear.
_QUOTED = r'"(?:[^"\\]|\\.?)*"?'
_LIST_ELEMENT = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_PIECE = re.compile(rf'(?:[^;"]|{_QUOTED})+')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """Media types that a client accepts, such as ``application/*``, and how gladly: `quality`, 0 (not at all) to 1.

    All is in lower case; `parameters` are without `q` and unquoted.
    """

    essence: str
    quality: float
    parameters: Mapping[str, str]

    def covers(self, essence: str) -> bool:
        """Tell whether a media type, without parameters, lies in this range."""
        return self.essence in (essence, f"{essence.partition('/')[0]}/*", "*/*")

    @property
    def closeness(self) -> int:
        """How closely the range names media types: 0 for all, 1 for all of a kind, 2 for one."""
        return 2 - self.essence.count("*")


def media_ranges(header: str) -> tuple[MediaRange, ...]:
    """Read an `Accept` header, or several joined by commas. What breaks the grammar allows nothing."""
    read = (_media_range(part.strip(_WHITESPACE)) for part in _LIST_ELEMENT.findall(header))
    return tuple(each for each in read if each is not None)


def _media_range(text: str) -> MediaRange | None:
    essence, *rest = (piece.strip(_WHITESPACE) for piece in _PIECE.findall(text) or [""])
    matches = [_PARAMETER.fullmatch(piece) for piece in rest if piece]
    if not _ESSENCE.fullmatch(essence) or None in matches:
        return None
    parameters = dict(_named_value(match) for match in matches if match is not None)
    weight = parameters.pop("q", "1")
    return MediaRange(essence.lower(), float(weight), parameters) if _WEIGHT.fullmatch(weight) else None


def _named_value(match: re.Match[str]) -> tuple[str, str]:
    name, quoted, plain = match.groups()
    value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return name.lower(), value.lower()
