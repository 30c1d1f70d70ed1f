"""Which form an `Accept` header asks for, derived from RFC 9110, section 12.5.1, and DICOM PS3.18, section 8.7."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api.errors import NotAcceptable
from api.http.negotiation import AnswerForm, answer_form, wants_fhir

DICOM = 'multipart/related; type="application/dicom"'
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
HAPI = (
    "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9"
)


def request_with(*accept: str) -> Request:
    headers = [(b"accept", value.encode("latin-1")) for value in accept]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "accept",
    [
        *((), ("",), (" , ",), ("*/*",), ("application/*",), ("application/json",), (CHROME,), (JAVA,)),
        ("application/json, text/plain, */*",),
        ("application/json, text/javascript, */*; q=0.01",),
        ("application/json;charset=utf-8",),
        ('application/json; charset="UTF-8"',),
        ("application/json;q=0.001",),
        ("text/html", "application/json"),
        ("text/html, application/json;q=0.9, application/fhir+json;q=0.8",),
        # Of two that are liked and named equally, ours.
        ("application/fhir+json, application/json",),
        (f"{DICOM}, application/json",),
        # The closer range decides: FHIR is liked less than all others.
        ("application/fhir+json;q=0.8, */*",),
        ("application/json, application/*;q=0, */*;q=0",),
        # What a parameter of no known meaning asks for cannot be told apart from its absence.
        ('application/json;profile="https://example.org/a,b";indent=2',),
        ("application/json;profile=x;q=0, application/json",),
        ("*/*;version=2",),
    ],
)
def test_json_is_chosen(accept: tuple[str, ...]) -> None:
    assert answer_form(request_with(*accept)) is AnswerForm.JSON


@pytest.mark.parametrize(
    "accept",
    [
        *(("application/fhir+json",), ("APPLICATION/FHIR+JSON",), ("application/fhir+json;q=0.001",), (HAPI,)),
        ("application/fhir+json;charset=utf-8",),
        ("application/fhir+json; fhirVersion=4.0",),
        ('application/fhir+json; FHIRVERSION="4.0"',),
        ("application/fhir+json;fhirVersion=5.0, application/fhir+json;fhirVersion=4.0;q=0.5",),
        ("application/fhir+json;fhirVersion=5.0;q=0, application/fhir+json",),
        ("application/fhir+json;fhirVersion=4.0, application/fhir+json;q=0",),
        ("application/json;q=0.9, application/fhir+json",),
        ("application/json;q=0.9", "application/fhir+json"),
        ("application/json;q=0.5, application/*",),
        ("application/json;q=0, */*",),
        # Rather what is named than what falls under a wildcard.
        ("application/fhir+json, */*",),
        ("application/*, application/fhir+json",),
    ],
)
def test_fhir_is_chosen(accept: tuple[str, ...]) -> None:
    assert answer_form(request_with(*accept)) is AnswerForm.FHIR
    assert wants_fhir(request_with(*accept))


@pytest.mark.parametrize(
    "accept",
    [
        *(DICOM, "multipart/related;type=application/dicom", "multipart/related", "multipart/*"),
        'Multipart/Related; Type="Application/DICOM"',
        f"{DICOM}; transfer-syntax=*",
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1",
        # PS3.18 has a boundary in its example, which says nothing.
        f"{DICOM};transfer-syntax=1.2.840.10008.1.2.4.50;boundary=**, "
        f"{DICOM};transfer-syntax=1.2.840.10008.1.2.1;q=0.5;boundary=**",
        f"{DICOM}, application/json;q=0.9",
        f"{DICOM}, */*",
        f"application/fhir+json;q=0.9, {DICOM}",
        "multipart/related, application/*;q=0.9",
    ],
)
def test_dicom_is_chosen(accept: str) -> None:
    assert answer_form(request_with(accept)) is AnswerForm.DICOM
    assert not wants_fhir(request_with(accept))


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "json", "application/", "*/json", "application/json+fhir", "application/fhir+xml"),
        *("application/dicom", "application/dicom+json", "multipart/form-data", "application/problem+json"),
        *("application/json;q=0", "application/json;q=0.000", "*/*;q=0", "application/json;q=high"),
        "application/*;q=0, multipart/related;q=0, */*",
        "application/json;q=0, application/fhir+json;q=0, multipart/*;q=0, */*;q=1",
        *("application/json;charset=utf-16", "application/fhir+json;charset=iso-8859-1"),
        *("application/fhir+json;fhirVersion=3.0", "application/fhir+json;fhirVersion=5.0"),
        *('multipart/related; type="image/jpeg"', 'multipart/related; type="application/dicom+json"'),
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.70",
        'application/json;profile="never closed',
    ],
)
def test_nothing_can_be_served(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"Accept must allow .* Received: none of these"):
        answer_form(request_with(accept))
    assert not wants_fhir(request_with(accept))


def test_the_example_of_the_standard_is_weighed_as_there() -> None:
    """Its table of text/*, text/plain and text/plain;format=flowed, put into our types."""
    others = "application/*;q=0.3, */*;q=0.5"
    fhir = "application/fhir+json;q=0.2, application/fhir+json;fhirVersion=4.0;q=0.6"
    assert answer_form(request_with(f"{others}, {fhir}")) is AnswerForm.FHIR  # 0.6, against 0.3 and 0.5
    assert answer_form(request_with(f"{others}, {fhir.replace('4.0', '5.0')}")) is AnswerForm.DICOM  # 0.5
    assert answer_form(request_with(f"{others}, multipart/*;q=0.1")) is AnswerForm.JSON  # 0.3, as FHIR


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=200))
def test_no_header_is_an_error_of_ours(accept: str) -> None:
    with suppress(NotAcceptable):
        assert answer_form(request_with(accept)) in AnswerForm
