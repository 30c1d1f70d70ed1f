"""Provenance: which software made the answer from which input, and the receipt that proves it."""

from base64 import b64encode
from collections.abc import Iterable, Iterator

from api.reports.canonical_json import canonical_json
from api.reports.fhir.codes import CREATE, PERFORMER
from api.reports.fhir.context import Context, link
from api.reports.fhir.device import device_name, model_file
from api.reports.fhir.elements import Json, concept, elements, logical_reference, narrative
from api.reports.receipt import as_document

_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def receipt(context: Context) -> Json:
    """Give the receipt as a Binary: canonical JSON (RFC 8785), with its `mac`."""
    data = canonical_json(as_document(context.report.receipt))
    return {
        "resourceType": "Binary",
        "id": _receipt_id(context),
        "contentType": "application/json",
        "data": b64encode(data).decode("ascii"),
    }


def provenance(context: Context, targets: Iterable[Json]) -> Json:
    """Say where resources come from."""
    return elements(
        resourceType="Provenance",
        id=context.id_of("Provenance"),
        text=narrative(f"Made by {device_name(context)}.", _input(context)["display"]),
        target=[link(target["id"]) for target in targets],
        # Required, but a retry must yield the same bytes, so that no clock may be read. The server that stores this
        # knows the time, as meta.lastUpdated.
        _recorded={"extension": [{"url": _ABSENT, "valueCode": "unsupported"}]},
        activity=concept(CREATE),
        agent=[{"type": concept(PERFORMER), "who": link(context.device_id)}],
        entity=[{"role": "source", "what": what} for what in _sources(context)],
    )


def _receipt_id(context: Context) -> str:
    return context.id_of("Binary", "receipt")


def _sources(context: Context) -> Iterator[Json]:
    yield _input(context)
    yield from context.imaging_studies
    for model in context.report.receipt.other_models:
        identifier = next(iter(model_file(model)), {})
        yield logical_reference("Device", identifier, f"Model {model.name} {model.version}")
    yield {**link(_receipt_id(context)), "display": "Receipt of the answer"}


def _input(context: Context) -> Json:
    digest, keyed = context.report.receipt.input_sha256, context.report.receipt.keyed
    kind = "hmac-sha256" if keyed else "sha256"
    identifier = {"system": f"urn:cxr-explain:input-{kind}", "value": digest}
    title = "HMAC-SHA256 of the input under the site's key" if keyed else "SHA-256 of the input"
    return logical_reference(None, identifier, f"{title}: {digest}")
