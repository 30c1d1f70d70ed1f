"""Which form of answer a client wants, by its `Accept` header (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from starlette.requests import Request

from api.errors import NotAcceptable

_PARTS = re.compile(r'(?:[^,"]|"[^"]*")+')  # a quoted comma separates nothing
_PIECES = re.compile(r'(?:[^;"]|"[^"]*")+')


class AnswerForm(Enum):
    """A form of answer, as its media type."""

    JSON = "application/json"
    FHIR = "application/fhir+json"
    DICOM = "multipart/related"


# What the parameters of a media range may say of a form. Without its own, a range fits too.
_PARAMETERS: Mapping[AnswerForm, Mapping[str, frozenset[str]]] = {
    AnswerForm.JSON: {"charset": frozenset({"utf-8"})},
    AnswerForm.FHIR: {"charset": frozenset({"utf-8"}), "fhirversion": frozenset({"4.0", "4.0.1"})},
    AnswerForm.DICOM: {
        "type": frozenset({"application/dicom"}),
        "transfer-syntax": frozenset({"*", "1.2.840.10008.1.2.1"}),
    },
}


@dataclass(frozen=True, slots=True)
class _MediaRange:
    essence: str
    quality: float
    parameters: Mapping[str, str] = field(default_factory=dict)

    def fits(self, form: AnswerForm) -> bool:
        """Tell whether a form lies in this range."""
        kind, _ = form.value.split("/")
        if self.essence not in (form.value, f"{kind}/*", "*/*"):
            return False
        allowed = _PARAMETERS[form]
        return all(value in allowed.get(name, ()) for name, value in self.parameters.items())

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """How closely this range describes a form: the closest one decides."""
        return not self.essence.startswith("*/"), not self.essence.endswith("/*"), len(self.parameters)


def answer_form(request: Request) -> AnswerForm:
    """Choose the form of answer that a client wants most; JSON where it does not care.

    Raises
    ------
    NotAcceptable
        It accepts none of them.
    """
    header = ",".join(request.headers.getlist("accept"))
    ranges = [_media_range(part) for part in _PARTS.findall(header) if part.strip()] or [_MediaRange("*/*", 1.0)]
    qualities = {form: _quality(form, ranges) for form in AnswerForm}
    best = max(qualities, key=qualities.__getitem__)  # the first of equals
    if qualities[best] == 0:
        raise NotAcceptable(
            "Accept must allow application/json, application/fhir+json (R4) or multipart/related of application/dicom "
            "(Explicit VR Little Endian). Received: none of these."
        )
    return best


def wants_fhir(request: Request) -> bool:
    """Tell whether errors, too, are wanted as FHIR."""
    try:
        return answer_form(request) is AnswerForm.FHIR
    except NotAcceptable:
        return False


def _quality(form: AnswerForm, ranges: list[_MediaRange]) -> float:
    fitting = [each for each in ranges if each.fits(form)]
    return max(fitting, key=lambda each: each.specificity).quality if fitting else 0.0


def _media_range(part: str) -> _MediaRange:
    essence, *rest = (piece.strip() for piece in _PIECES.findall(part))
    parameters = dict(_named_values(rest))
    return _MediaRange(essence.lower(), _weight(parameters.pop("q", "1")), parameters)


def _named_values(pieces: list[str]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        name, _, value = piece.partition("=")
        if name.strip():
            yield name.strip().lower(), value.strip().strip('"').lower()


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
