import io
import json
from typing import Any

import pytest
from highdicom.sr import Comprehensive3DSR, MeasurementReport, srread
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from api.quality import HIDING_THE_PATIENTS_SIDES
from api.reports.dicom import dicom_objects
from api.reports.pictures import pictures_of
from api.reports.receipt import as_document
from api.types import DISCLAIMER, Report
from tests.unit.reports.dicom.reports_by_hand import TRUST, all_methods, default_methods, header, receipt, report

SOURCE = ("1.2.840.10008.5.1.4.1.1.1", "2.25.47110003")
FINDING = Code("233604007", "SCT", "Pneumonia")


def read(answered: Report) -> Comprehensive3DSR:
    document = srread(io.BytesIO(dicom_objects(answered)[0]))
    assert isinstance(document, Comprehensive3DSR)
    return document


def read_template(answered: Report) -> MeasurementReport:
    content = read(answered).content
    assert isinstance(content, MeasurementReport)
    return content


def group(answered: Report) -> Dataset:
    """The measurement group as plain attributes."""
    content = read(answered).ContentSequence
    (measurements,) = [item for item in content if concept(item) == "126010"]
    found: Dataset = measurements.ContentSequence[0]
    return found


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def items(parent: Dataset, code: str) -> list[Dataset]:
    return [item for item in parent.ContentSequence if concept(item) == code]


def texts(parent: Dataset, code: str) -> list[str]:
    return [str(item.TextValue) for item in items(parent, code)]


def code_of(item: Dataset) -> tuple[str, str]:
    (value,) = item.ConceptCodeSequence
    return value.CodeValue, value.CodingSchemeDesignator


NORMAL = receipt("NORMAL", 0.9123)
UNSURE = receipt("NORMAL", 0.6, indeterminate=True)


@pytest.mark.parametrize(
    ("made", "presence", "certainty"),
    [(receipt(), "52101004", "97.04"), (NORMAL, "272519000", "91.23"), (UNSURE, "371934000", "40.0")],
)
def test_it_says_whether_there_is_pneumonia_and_how_certainly(made: Any, presence: str, certainty: str) -> None:
    found = group(report(made=made))
    assert code_of(items(found, "121071")[0]) == ("233604007", "SCT")
    assert code_of(items(found, "121052")[0]) == (presence, "SCT")
    (measured,) = items(found, "111012")[0].MeasuredValueSequence
    assert str(measured.NumericValue) == certainty
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    assert "FloatingPointValue" not in measured


@pytest.mark.parametrize(
    ("made", "meant"),
    [
        (receipt(), "The certainty is the calibrated probability of pneumonia in percent. PNEUMONIA from"),
        (NORMAL, "The certainty is that of the absence: the calibrated probability of no pneumonia in percent. PNEU"),
        (UNSURE, "The certainty is the calibrated probability of pneumonia in percent; it decides nothing here. PNEU"),
    ],
)
def test_the_comment_says_of_what_the_certainty_is_and_whether_anything_is_decided(made: Any, meant: str) -> None:
    (comment,) = texts(group(report(made=made)), "121106")
    assert comment.startswith(meant)
    assert "Close to the threshold pneumonia is undetermined, whatever the label" in comment
    assert ("as it is here" in comment) is made.indeterminate


def test_it_is_complete_preliminary_and_unverified() -> None:
    document = read(report())
    flags = (document.CompletionFlag, document.PreliminaryFlag, document.VerificationFlag)
    assert flags == ("COMPLETE", "PRELIMINARY", "UNVERIFIED")
    assert document.Modality == "SR" and document.StudyInstanceUID == "2.25.47110001"
    assert "not a medical device" in document.SeriesDescription


def test_the_observer_is_a_device_that_is_the_same_for_all_answers_of_one_model() -> None:
    def observer(made: Any) -> str:
        (item,) = items(read(report(made=made)), "121012")
        return str(item.UID)

    assert observer(receipt()) == observer(NORMAL) == observer(receipt(input_sha256="00" * 32, mac="11"))
    assert observer(receipt()) != observer(receipt(service_version="0.2.0"))
    assert observer(receipt()) != observer(receipt(model=receipt().other_models[0]))


def test_the_algorithm_is_identified_with_the_receipt_as_its_parameters() -> None:
    found = group(report())
    assert texts(found, "111001") == ["CXR Explain: classifier (resnet50)"]
    assert texts(found, "111003") == ["0.1.0, model 3"]
    (parameters,) = texts(found, "111002")
    document = json.loads(json.dumps(as_document(receipt())))
    assert json.loads(parameters) == {name: value for name, value in document.items() if name != "mac"}


def test_a_keyed_receipt_brings_its_mac() -> None:
    assert texts(group(report(made=receipt(keyed=True, mac="77" * 32))), "111002")[1] == "mac=" + "77" * 32


def test_without_a_region_the_group_refers_to_the_whole_image() -> None:
    content = read_template(report(explanations=default_methods()))
    (found,) = content.get_image_measurement_groups(finding_type=FINDING)
    (source,) = found.source_images
    assert source.value == SOURCE
    assert found.finding_sites[0].value == codes.SCT.Lung
    assert not content.get_planar_roi_measurement_groups()


def test_a_region_is_a_closed_line_on_the_image_in_its_pixels() -> None:
    content = read_template(report(explanations=all_methods(), outlined=True))
    (found,) = content.get_planar_roi_measurement_groups(finding_type=FINDING)
    region = found.roi
    assert region is not None and region.GraphicType == "POLYLINE"
    assert region.value.tolist() == [[4, 6], [16, 6], [16, 18], [4, 6]]
    assert region.ContentSequence[0].value == SOURCE
    assert "no proof of disease" in " ".join(texts(found[0], "121106"))


def test_no_region_is_given_where_pneumonia_is_absent() -> None:
    absent = report(explanations=all_methods(), outlined=True, made=NORMAL)
    assert items(group(absent), "111030") == []
    assert len(items(group(absent), "130401")) == 9
    unsure = report(explanations=all_methods(), outlined=True, made=UNSURE)
    assert len(items(group(unsure), "111030")) == 1


LEFT, RIGHT = ("7771000", "SCT"), ("24028007", "SCT")


def sites(answered: Report) -> list[tuple[str, str]]:
    """The side of the lung that is coded, if any."""
    (site,) = items(group(answered), "363698007")
    assert code_of(site) == ("39607008", "SCT")
    return [code_of(item) for item in site.get("ContentSequence", [])]


@pytest.mark.parametrize(
    ("sides", "warnings", "expected"),
    [
        (("image_left",), (), [RIGHT]),
        (("image_right",), ("view_unknown", "unlike_training_data"), [LEFT]),
        (("image_left", "image_right"), (), []),
        (("image_left",), None, []),
        *((("image_left",), (code,), []) for code in sorted(HIDING_THE_PATIENTS_SIDES)),
    ],
)
def test_the_side_is_the_patients_and_told_only_of_an_image_hung_as_usual(
    sides: Any, warnings: tuple[str, ...] | None, expected: list[tuple[str, str]]
) -> None:
    answered = report(explanations=all_methods(), outlined=True, sides=sides, warnings=warnings)
    assert sites(answered) == expected
    assert len(items(group(answered), "111030")) == 1  # the outline tells the place


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (["L", "F"], [RIGHT]),
        (["LF", "FR"], [RIGHT]),
        (None, []),
        ("", []),
        ("L", []),
        (["R", "F"], []),
        (["L", "H"], []),
        (["A", "F"], []),
        (["FL", "LF"], []),
        (["L", "F", "A"], []),
    ],
)
def test_the_side_is_told_only_where_the_image_says_how_it_is_hung(
    orientation: Any, expected: list[tuple[str, str]]
) -> None:
    source = header(PatientOrientation=orientation)
    assert sites(report(source, explanations=all_methods(), outlined=True)) == expected


def test_of_what_is_undetermined_no_side_is_told() -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        made = receipt(label, 0.6, indeterminate=True)
        assert sites(report(explanations=all_methods(), outlined=True, made=made)) == []


def test_every_picture_is_an_explanation_with_the_type_that_there_is_a_code_for() -> None:
    answered = report(explanations=all_methods(), outlined=True)
    captures = [dcmread(io.BytesIO(file)) for file in dicom_objects(answered)[1:]]
    found = items(group(answered), "130401")
    referred = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in found]
    assert referred == [capture.SOPInstanceUID for capture in captures]
    pictures = pictures_of(answered)
    assert [texts(item, "111001") for item in found] == [[picture.title] for picture in pictures]
    types = {
        picture.name: [code_of(kind) for kind in items(item, "246205007")]
        for picture, item in zip(pictures, found, strict=True)
    }
    assert {name: kind for name, kind in types.items() if kind} == {
        "saliency": [("130404", "DCM")],
        "grad_cam": [("130403", "DCM")],
        "grad_cam_plus_plus": [("130403", "DCM")],
    }


def test_the_silhouette_sign_is_not_reported_but_the_region_and_the_methods_name() -> None:
    found = group(report(explanations=all_methods(), outlined=True))
    assert "112152" not in str(found) and "ilhouette sign" not in str(found)
    named = [text for text in texts(found, "121106") if "names the region" in text]
    assert named == [
        "Silhouette names the region image_upper_left; sides are the viewer's.",
        "Occlusion names the region image_left; sides are the viewer's.",
    ]


def test_words_say_how_far_to_trust_it_what_is_unusual_and_what_it_is_not_for() -> None:
    document = read(report(explanations=default_methods(), warnings=("rotated",)))
    (evaluations,) = items(document, "C0034375")
    assert texts(evaluations, "121111") == [
        "Pneumonia present (PNEUMONIA). The probability of pneumonia is 0.9704, the decision threshold 0.4. "
        f"{TRUST} The image seems to be rotated. {DISCLAIMER}"
    ]
    assert texts(evaluations, "111101") == ["The image seems to be rotated."]
    assert texts(evaluations, "121106") == [DISCLAIMER]
    (unexplained,) = items(read(report(made=UNSURE)), "C0034375")
    assert texts(unexplained, "111101") == ["Nothing unusual was noticed."]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (receipt(), "Pneumonia present (PNEUMONIA). The probability of pneumonia is 0.9704, the"),
        (
            NORMAL,
            "Pneumonia absent (NORMAL). Nothing is said about other findings. The probability of pneumonia is 0.0877, "
            "the",
        ),
        (
            UNSURE,
            "Pneumonia indeterminate (NORMAL). The probability is too close to the decision threshold to rely on the "
            "label. The probability of pneumonia is 0.4, the",
        ),
    ],
)
def test_without_explanations_the_summary_says_what_was_found_and_how_surely(made: Any, said: str) -> None:
    (evaluations,) = items(read(report(made=made)), "C0034375")
    assert texts(evaluations, "121111") == [f"{said} decision threshold 0.4. {DISCLAIMER}"]


def test_the_certainty_is_explained_with_threshold_and_prevalence() -> None:
    (comment,) = texts(group(report()), "121106")
    assert "probability of pneumonia in percent" in comment and "0.4" in comment and "60 %" in comment


def test_image_and_captures_are_evidence_of_the_same_study() -> None:
    answered = report(explanations=default_methods())
    evidence = read(answered).get_evidence()
    captures = [dcmread(io.BytesIO(file)) for file in dicom_objects(answered)[1:]]
    expected = [("2.25.47110001", "2.25.47110002", "2.25.47110003", SOURCE[0])]
    expected += [
        (made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID, made.SOPClassUID) for made in captures
    ]
    assert evidence == expected


def test_rows_stand_in_the_order_of_the_templates() -> None:
    content = group(report(explanations=default_methods(), outlined=True)).ContentSequence
    assert [concept(item) for item in content] == [
        "112039", "112040", "121071", "363698007", "111001", "111003", "122405", "111002", "111030", "130401",
        "130401", "130401", "111012", "121052", "121106", "121106", "121106",
    ]  # fmt: skip


def test_text_is_ascii_in_whatever_character_set_the_image_is() -> None:
    source = header(SpecificCharacterSet="ISO_IR 101", PatientName="Dvořák")
    answered = report(source, made=receipt(model=receipt().model.__class__("Modell ß", "1", None)))
    found = group(answered)
    assert texts(found, "111001") == ["CXR Explain: Modell ? (resnet50)"]
