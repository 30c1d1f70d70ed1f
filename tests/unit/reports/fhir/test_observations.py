from dataclasses import replace
from typing import Any

import pytest
from pydicom.sr.codedict import codes as dicom_codes

from api import acquisition, quality
from api.reports.fhir import codes as fhir_codes
from api.reports.fhir import fhir_bundle
from api.types import DISCLAIMER, Quality
from tests.unit.reports.fhir.answers import STUDIES, report, unchecked
from tests.unit.reports.fhir.reading import codes, linked, resource, score_and_finding

SNOMED_CT = "http://snomed.info/sct"


def observations(**asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return score_and_finding(fhir_bundle(report(**asked), None))


@pytest.mark.parametrize(
    ("probability", "value"), [(0.0, 0.0), (0.02694, 0.0269), (0.4, 0.4), (0.97306, 0.9731), (1.0, 1.0)]
)
def test_the_score_is_the_calibrated_probability_of_pneumonia_whatever_the_label(
    probability: float, value: float
) -> None:
    score, _ = observations(probability=probability)
    assert codes(score["code"]) == {("http://loinc.org", "103815-7")}
    assert score["valueQuantity"] == {
        "value": value,
        "unit": "1",
        "system": "http://unitsofmeasure.org",
        "code": "1",
    }


@pytest.mark.parametrize(
    ("probability", "indeterminate", "value", "interpretation"),
    [
        (0.4, False, "52101004", "POS"),
        (0.39, False, "272519000", "NEG"),
        (0.41, True, "371934000", "IND"),
        (0.39, True, "371934000", "IND"),
    ],
)
def test_the_finding_is_present_absent_or_undetermined(
    probability: float, indeterminate: bool, value: str, interpretation: str
) -> None:
    score, finding = observations(probability=probability, indeterminate=indeterminate)
    assert codes(finding["code"]) == {(SNOMED_CT, "233604007"), ("http://www.radlex.org", "RID5350")}
    assert codes(finding["valueCodeableConcept"]) == {(SNOMED_CT, value)}
    assert codes(finding["bodySite"]) == {(SNOMED_CT, "39607008")}
    assert [codes(each) for each in score["interpretation"]] == [
        {("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", interpretation)}
    ]


RULE = (
    "PNEUMONIA from the decision threshold of 0.4 on; below it NORMAL, that is, pneumonia absent. "
    "Close to the threshold pneumonia is undetermined, whatever the label"
)


@pytest.mark.parametrize(("indeterminate", "rule"), [(False, f"{RULE}."), (True, f"{RULE}, as it is here.")])
def test_the_score_says_how_it_decides_and_what_it_assumes(indeterminate: bool, rule: str) -> None:
    score, _ = observations(probability=0.39, indeterminate=indeterminate)
    assert score["referenceRange"] == [{"text": rule}]
    assert f"<p>Probability of pneumonia: 0.39. {rule}</p>" in score["text"]["div"]
    assert score["note"][-1] == {"text": "The probability assumes that 0.6 of the radiographs show pneumonia."}


def test_the_score_is_that_of_the_receipt_to_the_last_decimal() -> None:
    """Half-way between two decimals, noise of batching could round it otherwise than the receipt."""
    answer = report(0.39)
    elsewhere = replace(answer, receipt=replace(answer.receipt, probability=0.6101))
    bundle = fhir_bundle(elsewhere, None)
    score, _ = score_and_finding(bundle)
    assert score["valueQuantity"]["value"] == 0.3899
    assert "The probability of pneumonia is 0.3899," in resource(bundle, "DiagnosticReport")["conclusion"]


def test_both_are_preliminary_observations_of_imaging_by_the_device() -> None:
    bundle = fhir_bundle(report(), None)
    for observation in score_and_finding(bundle):
        assert observation["status"] == "preliminary"
        assert [codes(each) for each in observation["category"]] == [
            {("http://terminology.hl7.org/CodeSystem/observation-category", "imaging")}
        ]
        assert linked(bundle, observation["device"]) == resource(bundle, "Device")


def test_the_finding_derives_from_the_score_and_both_from_the_study() -> None:
    bundle = fhir_bundle(report(study=STUDIES["day"]), None)
    score, finding = score_and_finding(bundle)
    study = resource(bundle, "DiagnosticReport")["imagingStudy"]
    assert score["derivedFrom"] == study
    assert linked(bundle, finding["derivedFrom"][0]) == score
    assert finding["derivedFrom"][1:] == study
    assert score["effectiveDateTime"] == finding["effectiveDateTime"] == "2024-03-05"
    assert score["basedOn"] == finding["basedOn"] == resource(bundle, "DiagnosticReport")["basedOn"]


def test_without_dicom_the_score_derives_from_nothing_that_could_be_named() -> None:
    score, finding = observations()
    assert "derivedFrom" not in score
    assert len(finding["derivedFrom"]) == 1


def test_both_say_that_a_clinician_must_confirm_and_what_is_unusual_about_the_image() -> None:
    for observation in observations(quality=Quality(True, 0.9, ("mirrored", "news_of_tomorrow"))):
        texts = [note["text"] for note in observation["note"]]
        assert texts[:3] == [DISCLAIMER, "The image is said to be mirrored.", "news of tomorrow."]


def test_both_say_when_nobody_has_looked_whether_it_is_a_chest() -> None:
    for observation in score_and_finding(fhir_bundle(unchecked(report()), None)):
        assert {"text": "It was not checked whether the image is a chest radiograph."} in observation["note"]


GATE_CODES = (quality.UNLIKE_TRAINING_DATA, quality.LUNGS_NOT_FOUND, quality.NOT_A_CHEST_RADIOGRAPH)
TAG_CODES = (
    acquisition.LATERAL,
    acquisition.OTHER_BODY_PART,
    acquisition.NOT_A_RADIOGRAPH,
    acquisition.VIEW_UNKNOWN,
    acquisition.BODY_PART_UNKNOWN,
    acquisition.MODALITY_UNKNOWN,
    acquisition.ROTATED,
    acquisition.MIRRORED,
    acquisition.ORIENTATION_UNKNOWN,
    acquisition.BURNED_IN,
    acquisition.FOR_PROCESSING,
)


@pytest.mark.parametrize("code", [*GATE_CODES, *TAG_CODES, "inverted"])
def test_every_warning_is_told_in_a_sentence_of_its_own(code: str) -> None:
    _, finding = observations(quality=Quality(True, 0.9, (code,)))
    (_, sentence) = [note["text"] for note in finding["note"]]
    assert sentence.startswith(("The image ", "The DICOM object ", "No lungs "))


def test_codes_mean_in_dicom_what_they_are_used_for() -> None:
    known = {
        fhir_codes.PRESENT: dicom_codes.SCT.Present,
        fhir_codes.ABSENT: dicom_codes.SCT.Absent,
        fhir_codes.UNDETERMINED: dicom_codes.SCT.NormalityUndetermined,
        fhir_codes.LUNG: dicom_codes.SCT.LungStructure,
    }
    assert [code.code for code in known] == [concept.value for concept in known.values()]
