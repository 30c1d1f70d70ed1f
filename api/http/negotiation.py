"""Which form of answer a client wants, by its `Accept` header."""

from collections.abc import Iterable, Mapping
from enum import Enum

from starlette.requests import Request

from api.errors import NotAcceptable
from api.http.media_ranges import MediaRange, media_ranges


class AnswerForm(Enum):
    """A form of answer, as its media type. Where a client likes two equally, the first one is given."""

    JSON = "application/json"
    FHIR = "application/fhir+json"
    DICOM = "multipart/related"


# The character set has to be told (FHIR R4, RESTful API, "Content Types and encodings").
FHIR_CONTENT_TYPE = f"{AnswerForm.FHIR.value}; charset=utf-8"

_UTF_8 = frozenset({"utf-8", "utf8"})
# What these parameters of a media range must say if it has them, lest a client be given what it cannot read. RFC 9110
# lets a server disregard what it cannot honour: that is done with all others, such as the `boundary` of a multipart.
# `fhirVersion`: FHIR R4, RESTful API, "FHIR Version Parameter". The others of DICOM: PS3.18, section 8.7.3.5.
_PARAMETERS: Mapping[AnswerForm, Mapping[str, frozenset[str]]] = {
    AnswerForm.JSON: {"charset": _UTF_8},
    AnswerForm.FHIR: {"charset": _UTF_8, "fhirversion": frozenset({"4.0", "4.0.1"})},
    AnswerForm.DICOM: {
        "type": frozenset({"application/dicom"}),
        "transfer-syntax": frozenset({"*", "1.2.840.10008.1.2.1"}),
    },
}


def answer_form(request: Request) -> AnswerForm:
    """Choose the form of answer that a client wants most; JSON where it does not care.

    Raises
    ------
    NotAcceptable
        It accepts none of them.
    """
    header = ",".join(request.headers.getlist("accept"))
    ranges = media_ranges(header if header.strip(", \t") else "*/*")
    best = max(AnswerForm, key=lambda form: _wish(form, ranges))  # the first of equals
    quality, _ = _wish(best, ranges)
    if quality == 0:
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


def _wish(form: AnswerForm, ranges: Iterable[MediaRange]) -> tuple[float, int]:
    """Give how gladly a form is accepted, 0 to 1, and how closely it is named: of equals, rather what is named."""
    deciding = max((each for each in ranges if _fits(each, form)), key=lambda each: _rank(each, form), default=None)
    return (0.0, 0) if deciding is None else (deciding.quality, deciding.closeness)


def _fits(media_range: MediaRange, form: AnswerForm) -> bool:
    known = _PARAMETERS[form]
    contradicted = any(value not in known.get(name, {value}) for name, value in media_range.parameters.items())
    return media_range.covers(form.value) and not contradicted


def _rank(media_range: MediaRange, form: AnswerForm) -> tuple[int, int, bool, float]:
    """Rank the ranges that a form lies in: the closest one decides, a disregarded parameter makes it less close."""
    heeded = media_range.parameters.keys() & _PARAMETERS[form].keys()
    disregarded = media_range.parameters.keys() - heeded
    return media_range.closeness, len(heeded), not disregarded, media_range.quality
