from typing import Any

import pytest

from api.reports.fhir import fhir_bundle
from api.types import DISCLAIMER, Quality, Study
from tests.unit.reports.fhir.answers import METHODS, STUDIES, report
from tests.unit.reports.fhir.reading import codes, linked, resource, resources, score_and_finding

SNOMED_CT = "http://snomed.info/sct"


def diagnostic_report(**asked: Any) -> dict[str, Any]:
    return resource(fhir_bundle(report(**asked), None), "DiagnosticReport")


def test_it_is_a_preliminary_report_of_one_view_of_the_chest() -> None:
    found = diagnostic_report()
    assert found["status"] == "preliminary"
    assert codes(found["code"]) == {("http://loinc.org", "36554-4")}
    assert [codes(each) for each in found["category"]] == [{("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD")}]


def test_it_leads_to_the_score_and_the_finding_and_each_picture() -> None:
    bundle = fhir_bundle(report(methods=METHODS, region=True), None)
    found = resource(bundle, "DiagnosticReport")
    assert tuple(linked(bundle, each) for each in found["result"]) == score_and_finding(bundle)
    pictures = [linked(bundle, each["link"]) for each in found["media"]]
    assert pictures == resources(bundle, "Media")
    assert [each["comment"] for each in found["media"]] == [each["content"]["title"] for each in pictures]


def test_without_pictures_it_names_none() -> None:
    assert "media" not in diagnostic_report(methods=None)
    assert "media" not in diagnostic_report(methods=())


@pytest.mark.parametrize(
    ("probability", "indeterminate", "words", "code"),
    [
        (0.9731, False, "Pneumonia present", {(SNOMED_CT, "233604007")}),
        (0.0269, False, "Pneumonia absent", set()),
        (0.41, True, "Pneumonia indeterminate", set()),
        (0.39, True, "Pneumonia indeterminate", set()),
    ],
)
def test_its_conclusion_names_pneumonia_as_a_code_only_where_it_is_present(
    probability: float, indeterminate: bool, words: str, code: set[tuple[str, str]]
) -> None:
    found = diagnostic_report(probability=probability, indeterminate=indeterminate)
    (conclusion,) = found["conclusionCode"]
    assert (conclusion["text"], codes(conclusion)) == (words, code)
    assert found["conclusion"].startswith(words)
    assert f"The probability of pneumonia is {probability:g}, the decision threshold 0.4." in found["conclusion"]
    assert found["conclusion"].endswith(DISCLAIMER)


def test_its_conclusion_says_that_normal_speaks_of_pneumonia_alone() -> None:
    assert (
        "Pneumonia absent (NORMAL). Nothing is said about other findings."
        in diagnostic_report(probability=0.1)["conclusion"]
    )


def test_its_conclusion_holds_the_judgement_of_the_explanations_and_what_is_unusual() -> None:
    conclusion = diagnostic_report(quality=Quality(True, 0.9, ("rotated", "view_unknown")))["conclusion"]
    assert "Grad-CAM & Grad-CAM++ mark <10 % of the lungs." in conclusion
    assert "The image seems to be rotated. The DICOM object does not say whether this is a frontal view." in conclusion


@pytest.mark.parametrize(
    ("study", "effective"),
    [
        ("no DICOM", None),
        ("nothing known", None),
        ("day", "2024-03-05"),
        ("moment", "2024-03-05T10:16:30.120000+05:30"),
        ("universal time", "2024-03-05T10:16:30+00:00"),
    ],
)
def test_it_is_dated_like_the_radiograph(study: str, effective: str | None) -> None:
    assert diagnostic_report(study=STUDIES[study]).get("effectiveDateTime") == effective


def test_it_refers_to_study_and_order_by_what_dicom_calls_them() -> None:
    found = diagnostic_report(study=Study("1.2.840.1", "ACC 0815 "))
    assert found["imagingStudy"] == [
        {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1"}}
    ]
    (order,) = found["basedOn"]
    assert (order["type"], order["identifier"]["value"]) == ("ServiceRequest", "ACC 0815")
    assert codes(order["identifier"]["type"]) == {("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN")}


@pytest.mark.parametrize("uid", ["", "DOE^JANE", "1.2.", "1.02", "3.1", "1." + "1" * 63, "1.2\n"])
def test_what_is_no_uid_is_not_repeated(uid: str) -> None:
    assert "imagingStudy" not in diagnostic_report(study=Study(uid))


@pytest.mark.parametrize("number", ["", "  ", "A\0B", "A\nB"])
def test_an_accession_number_that_is_no_text_is_not_repeated(number: str) -> None:
    assert "basedOn" not in diagnostic_report(study=Study("", number))
