import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from api.reports.fhir import fhir_bundle, is_subject
from api.types import Quality, Report
from tests.unit.reports.fhir.answers import METHODS, PATIENT_NAME, STUDIES, report, unchecked
from tests.unit.reports.fhir.reading import check_bundle, elements, resource, resources

EXPLAINED: Mapping[str, tuple[Sequence[str] | None, bool]] = {
    "predicted": (None, False),
    "nothing to explain": ((), False),
    **{method: ((method,), False) for method in METHODS},
    "all": (METHODS, True),
}
SUBJECTS = (None, "Patient/123", "urn:oid:1.2.36.146|MRN 4711|b")
UNUSUAL = Quality(False, 0.1, ("rotated", "not_a_chest_radiograph", "burned_in_annotation", "of_a_later_version"))


def check_valid(bundle: dict[str, Any]) -> None:
    """`fhir.resources` takes it and loses nothing of it, and it keeps the rules that are not checked there."""
    read = Bundle.model_validate(bundle).model_dump_json()
    assert json.loads(read) == json.loads(json.dumps(bundle).replace("+00:00", "Z"))
    check_bundle(bundle)


@pytest.mark.parametrize("explained", EXPLAINED)
@pytest.mark.parametrize("study", STUDIES)
def test_every_kind_of_answer_is_a_valid_transaction(explained: str, study: str) -> None:
    methods, region = EXPLAINED[explained]
    for subject, key, quality in zip(SUBJECTS, (False, True, True), (None, UNUSUAL, None), strict=True):
        answer = report(methods=methods, region=region, study=STUDIES[study], quality=quality, key=key)
        check_valid(fhir_bundle(answer, subject))


@given(
    probability=st.floats(0, 1),
    indeterminate=st.booleans(),
    methods=st.none() | st.lists(st.sampled_from(METHODS), unique=True),
    study=st.sampled_from(list(STUDIES.values())),
    subject=st.none() | st.text(max_size=300).map("http://a.example|{}".format).filter(is_subject),
)
@settings(max_examples=100, deadline=None)
def test_any_answer_about_anybody_is_a_valid_transaction(
    probability: float, indeterminate: bool, methods: list[str] | None, study: Any, subject: str | None
) -> None:
    answer = report(probability, indeterminate=indeterminate, methods=methods, study=study)
    check_valid(fhir_bundle(answer, subject))


def test_an_answer_that_nobody_checked_for_a_chest_is_valid_too() -> None:
    check_valid(fhir_bundle(unchecked(report()), None))


def test_timings_and_what_goes_beyond_four_decimals_leave_no_trace() -> None:
    answer = report(0.97311)
    batched = replace(report(0.97312), timings_ms={"total": 7.0})
    assert fhir_bundle(answer, None) == fhir_bundle(batched, None)


def ids(bundle: dict[str, Any]) -> dict[str, set[str]]:
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    return {kind: {each["id"] for each in resources(bundle, kind)} for kind in kinds}


@pytest.mark.parametrize(
    "other",
    [
        lambda answer: fhir_bundle(answer, "Patient/124"),
        lambda answer: fhir_bundle(answer, None),
        lambda answer: fhir_bundle(
            replace(answer, receipt=replace(answer.receipt, input_sha256="00" * 32)), SUBJECTS[1]
        ),
        lambda answer: fhir_bundle(replace(answer, receipt=replace(answer.receipt, probability=0.5)), SUBJECTS[1]),
    ],
    ids=["another subject", "no subject", "another image", "another result"],
)
def test_another_answer_has_other_ids_and_the_same_device(other: Any) -> None:
    answer = report(methods=METHODS, region=True)
    one, two = ids(fhir_bundle(answer, SUBJECTS[1])), ids(other(answer))
    assert one.keys() == two.keys()
    for kind in one.keys() - {"Device"}:
        assert not one[kind] & two[kind]
    assert one["Device"] == two["Device"]


def receipt_with(**changes: Any) -> Report:
    answer = report()
    return replace(answer, receipt=replace(answer.receipt, **changes))


def test_another_model_or_release_is_another_device() -> None:
    model = report().receipt.model
    others = [
        receipt_with(service_version="1.2.4"),
        receipt_with(model=replace(model, version="2")),
        receipt_with(model=replace(model, sha256="00" * 32)),
    ]
    found = {resource(fhir_bundle(answer, None), "Device")["id"] for answer in (report(), *others)}
    assert len(found) == 4


def test_ids_are_128_bits_of_the_receipt_the_resource_and_the_subject() -> None:
    answer = report()
    signed = json.dumps(
        {
            "indeterminate": False,
            "input_sha256": "ab" * 32,
            "keyed": False,
            "label": "PNEUMONIA",
            "model": {"name": "classifier", "sha256": "cd" * 32, "version": "1"},
            "other_models": [
                {"name": "classifier_explain", "sha256": "ef" * 32, "version": "1"},
                {"name": "lung_segmenter", "sha256": None, "version": "2"},
            ],
            "parameters": {"methods": ["grad_cam"], "operation": "explain", "prevalence": None, "threshold": 0.7},
            "probability": 0.9731,
            "service_version": "1.2.3",
        },
        separators=(",", ":"),
    )
    digest = hashlib.sha256(f"{signed}\0fhir\0Media\0grad_cam\0Patient/123".encode()).hexdigest()
    found = resource(fhir_bundle(answer, "Patient/123"), "Media")["id"].replace("-", "")
    # Six bits say which kind of UUID it is (RFC 9562).
    assert (found[:12], found[13:16], found[17:]) == (digest[:12], digest[13:16], digest[17:32])
    assert (found[12], found[16] in "89ab") == ("8", True)


@pytest.mark.parametrize("study", STUDIES)
def test_nothing_of_the_patient_comes_from_the_input(study: str) -> None:
    text = json.dumps(fhir_bundle(report(methods=METHODS, study=STUDIES[study]), None))
    assert not any(secret in text for secret in (PATIENT_NAME, "DOE", "MRN-4711", "19800102", "1980-01-02"))
    assert "subject" not in text


def test_the_subject_is_on_every_resource_about_the_patient() -> None:
    bundle = fhir_bundle(report(methods=METHODS, region=True), "http://hospital.example/mrn|MRN 4711|b")
    expected = {"type": "Patient", "identifier": {"system": "http://hospital.example/mrn", "value": "MRN 4711|b"}}
    for kind in ("DiagnosticReport", "Observation", "Media"):
        assert [each["subject"] for each in resources(bundle, kind)] == [expected] * len(resources(bundle, kind))
    report_alone = resource(fhir_bundle(report(), "Patient/a-1.B"), "DiagnosticReport")
    assert report_alone["subject"] == {"reference": "Patient/a-1.B"}


def test_everything_that_a_model_says_is_labelled_as_asserted_by_an_artificial_intelligence() -> None:
    bundle = fhir_bundle(report(methods=METHODS), None)
    label = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "code": "AIAST",
        "display": "Artificial Intelligence asserted",
    }
    for kind in ("DiagnosticReport", "Observation", "Media"):
        assert all(each["meta"]["security"] == [label] for each in resources(bundle, kind))
    assert bundle["meta"]["security"] == [label]


def test_no_code_says_consolidation() -> None:
    used = {value for path, value in elements(fhir_bundle(report(), None)) if path.endswith(".coding.code")}
    assert "95436008" not in used  # SNOMED CT, Lung consolidation
    assert "24627-2" not in used  # LOINC, CT Chest
