"""Reading Bundles in tests, and the rules of FHIR R4 that `fhir.resources` does not check."""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

Json = dict[str, Any]
# Of R4's primitive types (section 2.24.0.1), as in their StructureDefinitions.
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_STRING = re.compile(r"[ \r\n\t\S]+")
_BINARY = re.compile(r"([0-9a-zA-Z+/=]{4})+")
_ASSERTS_NOTHING = {"Device", "Provenance", "Binary"}


def resources(bundle: Json, kind: str) -> list[Json]:
    """The resources of a type, in their order."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def resource(bundle: Json, kind: str) -> Json:
    """The only resource of a type."""
    (only,) = resources(bundle, kind)
    return only


def score_and_finding(bundle: Json) -> tuple[Json, Json]:
    """The two Observations."""
    score, finding = resources(bundle, "Observation")
    return score, finding


def linked(bundle: Json, reference: Json) -> Json:
    """What a reference within the Bundle points to."""
    (found,) = [entry["resource"] for entry in bundle["entry"] if entry["fullUrl"] == reference["reference"]]
    return dict(found)


def codes(concept: Json) -> set[tuple[str, str]]:
    """System and code of each coding."""
    return {(coding["system"], coding["code"]) for coding in concept.get("coding", ())}


def elements(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every element at any depth, with its path."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from elements(inner, f"{path}.{name}")
    if isinstance(value, list):
        for inner in value:
            yield from elements(inner, path)


def check_document(document: Json) -> None:
    """JSON of FHIR holds no empty element, and every text is one (R4, sections 2.6.2 and 2.24.0.1)."""
    for path, value in elements(document):
        assert value not in (None, "", [], {}), path
        if isinstance(value, str):
            assert _STRING.fullmatch(value), path
            assert value == value.strip(), path
    for path, value in elements(document):
        if path.endswith(".div"):
            assert ElementTree.fromstring(value).tag == "{http://www.w3.org/1999/xhtml}div"  # dom-6, txt-1, txt-2
            assert "".join(ElementTree.fromstring(value).itertext()).strip()


def check_transaction(bundle: Json) -> None:
    """A transaction that a server takes as it is: R4, section 3.1.0.11, and bdl-1 to bdl-12 of Bundle."""
    assert set(bundle) == {"resourceType", "id", "meta", "type", "entry"}  # without total, timestamp and signature
    assert bundle["type"] == "transaction"
    addresses = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(addresses)) == len(addresses)  # bdl-7
    for entry in bundle["entry"]:
        assert set(entry) == {"fullUrl", "resource", "request"}  # bdl-2, bdl-3, bdl-4
        held = entry["resource"]
        assert _ID.fullmatch(held["id"])
        assert entry["fullUrl"] == f"urn:uuid:{held['id']}"
        assert entry["request"] == {"method": "PUT", "url": f"{held['resourceType']}/{held['id']}"}
    within = [value for path, value in elements(bundle) if path.endswith(".reference") and value.startswith("urn:")]
    assert within
    assert set(within) <= set(addresses)


def check_resources(bundle: Json) -> None:
    """Rules on each resource: those of R4's StructureDefinitions, and those of this project."""
    for entry in bundle["entry"]:
        held = entry["resource"]
        kind = held["resourceType"]
        assert ("meta" in held) == (kind not in _ASSERTS_NOTHING)
        assert ("text" in held) == (kind != "Binary")  # dom-6, and a Binary is no DomainResource
        assert "issued" not in held
        for path, value in elements(held):
            if path.endswith(".data"):
                assert _BINARY.fullmatch(value)  # without white space
    for observation in resources(bundle, "Observation"):
        assert sum(name.startswith("value") for name in observation) == 1
        assert "dataAbsentReason" not in observation  # obs-6
        assert "component" not in observation  # obs-7
        assert "performer" not in observation  # it cannot be a Device


def check_bundle(bundle: Json) -> None:
    """All of the above."""
    check_document(bundle)
    check_transaction(bundle)
    check_resources(bundle)
