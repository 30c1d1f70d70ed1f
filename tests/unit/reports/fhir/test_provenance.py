import base64
import json

import pytest

from api.reports.fhir import fhir_bundle
from api.reports.receipt import as_document, canonical
from tests.unit.reports.fhir.answers import METHODS, STUDIES, report
from tests.unit.reports.fhir.reading import codes, linked, resource, resources


def test_it_is_about_all_that_was_said_and_by_the_device() -> None:
    bundle = fhir_bundle(report(methods=METHODS), None)
    provenance = resource(bundle, "Provenance")
    said = [each for kind in ("DiagnosticReport", "Observation", "Media") for each in resources(bundle, kind)]
    assert [linked(bundle, each) for each in provenance["target"]] == said
    (agent,) = provenance["agent"]
    assert linked(bundle, agent["who"]) == resource(bundle, "Device")
    assert codes(agent["type"]) == {("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "performer")}


def test_it_says_that_the_time_is_not_told_instead_of_making_one_up() -> None:
    provenance = resource(fhir_bundle(report(), None), "Provenance")
    assert "recorded" not in provenance
    (reason,) = provenance["_recorded"]["extension"]
    assert reason == {
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
        "valueCode": "unsupported",
    }


@pytest.mark.parametrize(
    ("key", "system"), [(False, "urn:cxr-explain:input-sha256"), (True, "urn:cxr-explain:input-hmac-sha256")]
)
def test_its_sources_are_input_study_models_and_receipt(key: bool, system: str) -> None:
    bundle = fhir_bundle(report(key=key, study=STUDIES["day"]), None)
    sources = [entity["what"] for entity in resource(bundle, "Provenance")["entity"]]
    image, study, explaining, segmenting, receipt = sources
    assert image["identifier"] == {"system": system, "value": "ab" * 32}
    assert [study] == resource(bundle, "DiagnosticReport")["imagingStudy"]
    assert explaining["identifier"]["value"] == "ef" * 32
    assert [each["display"] for each in (explaining, segmenting)] == [
        "Model classifier_explain 1",
        "Model lung_segmenter 2",
    ]
    assert linked(bundle, receipt) == resource(bundle, "Binary")


def test_the_receipt_can_be_checked_as_it_stands() -> None:
    answer = report(key=True)
    binary = resource(fhir_bundle(answer, None), "Binary")
    assert binary["contentType"] == "application/json"
    data = base64.b64decode(binary["data"], validate=True)
    document = json.loads(data)
    assert document == json.loads(json.dumps(as_document(answer.receipt)))
    assert document.pop("mac") == "01" * 32
    signed = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert signed == canonical(answer.receipt)
    assert data == json.dumps({**document, "mac": "01" * 32}, sort_keys=True, separators=(",", ":")).encode()
