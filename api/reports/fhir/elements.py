"""What resources are put together from."""

from html import escape
from typing import Any, TypeAlias

from api.reports.fhir.codes import Code

Json: TypeAlias = dict[str, Any]
_XHTML = "http://www.w3.org/1999/xhtml"


def elements(**values: Any) -> Json:
    """Give the elements of a resource without the empty ones, which JSON of FHIR may not hold (R4, section 2.6.2)."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def concept(*codes: Code, text: str | None = None) -> Json:
    """Give a CodeableConcept: codes of one meaning, and that meaning in words."""
    return elements(coding=[code.coding() for code in codes], text=text)


def narrative(*paragraphs: str) -> Json:
    """Give a Narrative: what a resource says, for those who can read nothing else of it."""
    body = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs)
    return {"status": "generated", "div": f'<div xmlns="{_XHTML}">{body}</div>'}


def logical_reference(resource_type: str | None, identifier: Json, display: str | None = None) -> Json:
    """Give a Reference to what is known by an identifier alone (R4, section 2.3.0.2)."""
    return elements(type=resource_type, identifier=identifier, display=display)
