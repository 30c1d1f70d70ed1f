from dataclasses import replace

from api.reports.fhir import fhir_bundle
from tests.unit.reports.fhir.answers import report
from tests.unit.reports.fhir.reading import codes, resource


def test_the_device_is_software_with_its_version_and_its_model() -> None:
    device = resource(fhir_bundle(report(), "Patient/123"), "Device")
    assert device["status"] == "active"
    assert codes(device["type"]) == {("http://snomed.info/sct", "706689003")}
    assert [(name["name"], name["type"]) for name in device["deviceName"]] == [
        ("CXR Explain", "user-friendly-name"),
        ("classifier (resnet50)", "model-name"),
    ]
    software, model = device["version"]
    assert (software["type"]["text"], software["value"]) == ("software", "1.2.3")
    assert (model["type"]["text"], model["component"]["value"], model["value"]) == ("model", "classifier", "1")
    (file,) = device["identifier"]
    assert (file["system"], file["value"]) == ("urn:cxr-explain:model-sha256", "cd" * 32)


def test_the_device_belongs_to_no_patient_and_names_no_input() -> None:
    device = resource(fhir_bundle(report(), "Patient/123"), "Device")
    assert "patient" not in device
    assert "ab" * 32 not in str(device)


def test_a_model_published_without_a_digest_is_not_identified() -> None:
    answer = report()
    unpublished = replace(answer.receipt, model=replace(answer.receipt.model, sha256=None))
    assert "identifier" not in resource(fhir_bundle(replace(answer, receipt=unpublished), None), "Device")
