import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from api.reports.dicom import dicom_objects
from api.reports.pictures import pictures_of
from api.types import DISCLAIMER, EncodedImage, Report
from tests.dicom.files import coded
from tests.unit.reports.dicom.reports_by_hand import all_methods, default_methods, header, report

LOSSLESS = (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless)
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)


def captures(answered: Report) -> list[Dataset]:
    return [dcmread(io.BytesIO(file)) for file in dicom_objects(answered)[1:]]


def test_each_capture_holds_the_pixels_of_its_picture() -> None:
    answered = report(explanations=all_methods(), outlined=True)
    pictures = pictures_of(answered)
    made = captures(answered)
    assert len(made) == len(pictures) == 9
    for capture, picture in zip(made, pictures, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(picture.image.data)))
        assert expected.shape == (13, 21, 3)  # an odd number of bytes
        np.testing.assert_array_equal(capture.pixel_array, expected)
        assert capture.DerivationDescription == picture.title


def test_a_grey_picture_becomes_rgb() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(buffer, "png")
    grey = EncodedImage("image/png", 16, 16, buffer.getvalue())
    explanations = {name: replace(each, overlay=grey) for name, each in default_methods().items()}
    pixels = captures(report(explanations=explanations))[0].pixel_array
    np.testing.assert_array_equal(pixels, np.repeat(np.arange(256).reshape(16, 16, 1), 3, axis=2))


def test_captures_are_uncompressed_derived_secondary_captures_of_one_series_of_the_study() -> None:
    made = captures(report(explanations=all_methods(), outlined=True))
    assert {capture.file_meta.TransferSyntaxUID for capture in made} == {"1.2.840.10008.1.2.1"}
    assert {capture.SOPClassUID for capture in made} == {"1.2.840.10008.5.1.4.1.1.7"}
    assert {tuple(capture.ImageType) for capture in made} == {("DERIVED", "SECONDARY")}
    assert {(capture.Modality, capture.ConversionType) for capture in made} == {("OT", "WSD")}
    assert {capture.StudyInstanceUID for capture in made} == {"2.25.47110001"}
    assert {capture.SeriesInstanceUID for capture in made}.isdisjoint({"2.25.47110002"})
    assert len({capture.SeriesInstanceUID for capture in made}) == 1
    assert len({capture.SOPInstanceUID for capture in made}) == 9
    assert [capture.InstanceNumber for capture in made] == list(range(1, 10))


def test_a_capture_refers_to_the_image_and_says_that_it_is_for_research() -> None:
    for capture in captures(report(explanations=default_methods())):
        (source,) = capture.SourceImageSequence
        assert source.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.1"
        assert source.ReferencedSOPInstanceUID == "2.25.47110003"
        assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        assert capture.ImageComments == DISCLAIMER
        assert "not a medical device" in capture.SeriesDescription


def test_a_capture_says_what_made_it() -> None:
    for capture in captures(report(explanations=default_methods())):
        assert (capture.Manufacturer, capture.ManufacturerModelName) == ("CXR Explain", "CXR Explain")
        assert list(capture.SoftwareVersions) == ["0.1.0", "classifier 3"]
        assert capture.DeviceSerialNumber.startswith("2.25.")
        assert capture.file_meta.ImplementationVersionName == "CXR 0.1.0"
        assert "ContributingEquipmentSequence" not in capture


def test_orientation_and_burned_in_annotation_are_those_of_the_image_where_it_tells() -> None:
    (told, _) = captures(report(header(BurnedInAnnotation="YES"), default_methods()))
    assert list(told.PatientOrientation) == ["L", "F"]
    assert told.BurnedInAnnotation == "YES"
    (untold, _) = captures(report(header(PatientOrientation=None, BurnedInAnnotation=None), default_methods()))
    assert "PatientOrientation" in untold and not untold.PatientOrientation
    assert "BurnedInAnnotation" not in untold


CHEST, KNEE = coded("816094009", "SCT", "Chest"), coded("72696002", "SCT", "Knee")


@pytest.mark.parametrize(
    ("attributes", "of_chest"),
    [
        ({}, True),
        ({"BodyPartExamined": "THORAX"}, True),
        ({"BodyPartExamined": None, "AnatomicRegionSequence": [CHEST]}, True),
        ({"BodyPartExamined": None, "AnatomicRegionSequence": [KNEE]}, False),
        ({"BodyPartExamined": None}, False),
    ],
    ids=["chest", "thorax", "coded as chest", "coded as knee", "unknown"],
)
def test_a_chest_has_no_laterality_and_another_part_an_unknown_one(attributes: dict[str, Any], of_chest: bool) -> None:
    for made in captures(report(header(**attributes), default_methods())):
        assert made.get("BodyPartExamined") == ("CHEST" if of_chest else None)
        assert ("Laterality" in made) is not of_chest
        assert not made.get("Laterality")


@pytest.mark.parametrize(
    ("syntax", "declared", "lossy"),
    [
        (ExplicitVRLittleEndian, None, False),
        (ExplicitVRLittleEndian, "00", False),
        (ExplicitVRLittleEndian, "01", True),
        *((syntax, None, True) for syntax in LOSSY),
        *((syntax, "01", True) for syntax in LOSSY),
        *((syntax, "00", syntax in (JPEGBaseline8Bit, JPEGExtended12Bit)) for syntax in LOSSY),
        *((syntax, None, False) for syntax in LOSSLESS),
    ],
)
def test_what_was_compressed_with_loss_stays_marked(syntax: UID, declared: str | None, lossy: bool) -> None:
    source = header(LossyImageCompression=declared)
    source.file_meta.TransferSyntaxUID = syntax
    for made in captures(report(source, default_methods())):
        assert made.get("LossyImageCompression") == ("01" if lossy else None)
