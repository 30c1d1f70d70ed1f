from dataclasses import replace

from api.reports.dicom.files import Answer
from api.reports.dicom.source import read_source
from api.reports.fhir import fhir_bundle
from api.reports.identity import as_uid, device_id
from tests.unit.reports.dicom.reports_by_hand import header
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


def test_the_device_is_the_one_that_observes_in_dicom() -> None:
    observer = Answer(read_source(header()), report().receipt).device_uid
    assert observer == as_uid(device_id(report().receipt))
    device = resource(fhir_bundle(report(), None), "Device")
    assert observer == f"2.25.{int(device['id'].replace('-', ''), 16)}"


def test_a_model_published_without_a_digest_is_not_identified() -> None:
    answer = report()
    unpublished = replace(answer.receipt, model=replace(answer.receipt.model, sha256=None))
    assert "identifier" not in resource(fhir_bundle(replace(answer, receipt=unpublished), None), "Device")
