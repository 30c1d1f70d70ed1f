"""Answers put together by hand, of every kind that a Bundle is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
from pydicom import Dataset

from api.types import (
    Acquisition,
    Assessment,
    BoundingBox,
    DicomSource,
    EncodedImage,
    Explanation,
    Finding,
    Layer,
    LayersFinding,
    ModelIdentity,
    ModelRecord,
    OutlinedRegion,
    Prediction,
    Quality,
    Radiograph,
    Receipt,
    RelativeBox,
    Report,
    SilhouetteFinding,
    Study,
)

# The smallest of pictures, one black pixel, written by hand so that no encoder's version shows.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415408d76360000000020001e221bc330000000049454e44ae426082"
)
THRESHOLD = 0.4
METHODS = ("silhouette", "gradient", "saliency", "grad_cam", "grad_cam_plus_plus", "occlusion", "layers")
PATIENT_NAME = "DOE^JANE"
STUDY_UID, ACCESSION_NUMBER = "1.2.840.113619.2.5", "ACC-0815"
STUDIES: Mapping[str, Study | None] = {
    "no DICOM": None,
    "nothing known": Study(),
    "day": Study(STUDY_UID, ACCESSION_NUMBER, date(2024, 3, 5)),
    "moment": Study(STUDY_UID, "", datetime(2024, 3, 5, 10, 16, 30, 120000, timezone(timedelta(hours=5, minutes=30)))),
    "universal time": Study("", ACCESSION_NUMBER, datetime(2024, 3, 5, 10, 16, 30, tzinfo=UTC)),
}
_SILHOUETTE = SilhouetteFinding("image_left", "image_upper_left", RelativeBox(0, 0, 0.5, 0.5), {"image_left": 0.5})
_LAYERS = LayersFinding(tuple(Layer(name, np.ones((1, 2, 2), np.float32), (0,), 1.0) for name in ("early", "late")))
_TEXT = "The model says PNEUMONIA. Grad-CAM & Grad-CAM++ mark <10 % of the lungs."


def report(
    probability: float = 0.9731,
    *,
    indeterminate: bool = False,
    methods: Sequence[str] | None = ("grad_cam",),
    region: bool = False,
    study: Study | None = None,
    quality: Quality | None = None,
    key: bool = False,
) -> Report:
    """An answer with a probability of PNEUMONIA; `methods` is None for one that nobody asked to explain."""
    prediction = _prediction(probability, indeterminate)
    explained = None if methods is None else {name: _explanation(name) for name in methods}
    outlined = OutlinedRegion(((0.0, 0.0), (1.0, 0.0), (0.0, 0.0)), BoundingBox(0, 0, 1, 1), _image())
    return Report(
        model=ModelIdentity("classifier", "1", "resnet50"),
        radiograph=_radiograph(study),
        prediction=prediction,
        quality=quality or Quality(True, 0.98, ()),
        explanations=explained,
        timings_ms={"total": 1.0},
        receipt=_receipt(prediction, key=key),
        assessment=Assessment(None, "too few methods", {}, _TEXT) if methods else None,
        affected_region=outlined if region else None,
    )


def unchecked(answer: Report) -> Report:
    """The same answer by models that cannot tell whether the image is a chest radiograph."""
    return replace(answer, quality=None)


def _prediction(probability: float, indeterminate: bool) -> Prediction:
    probabilities = {"NORMAL": 1 - probability, "PNEUMONIA": probability}
    label = "PNEUMONIA" if probability >= THRESHOLD else "NORMAL"
    return Prediction(label, probabilities[label], indeterminate, probabilities, THRESHOLD, 0.6)


def _receipt(prediction: Prediction, *, key: bool) -> Receipt:
    return Receipt(
        input_sha256="ab" * 32,
        keyed=key,
        model=ModelRecord("classifier", "1", "cd" * 32),
        other_models=(ModelRecord("classifier_explain", "1", "ef" * 32), ModelRecord("lung_segmenter", "2", None)),
        parameters={"operation": "explain", "methods": ("grad_cam",), "threshold": 0.7, "prevalence": None},
        service_version="1.2.3",
        label=prediction.label,
        probability=round(prediction.probability, 4),
        indeterminate=prediction.indeterminate,
        mac="01" * 32 if key else None,
    )


def _radiograph(study: Study | None) -> Radiograph:
    pixels = np.zeros((3, 4), np.uint8)
    if study is None:
        return Radiograph(pixels, "png", 8)
    header = Dataset()
    header.PatientName, header.PatientID, header.PatientBirthDate = PATIENT_NAME, "MRN-4711", "19800102"
    return Radiograph(pixels, "dicom", 12, DicomSource(header, Acquisition(modality="DX"), study))


def _explanation(method: str) -> Explanation:
    # Of a finding, only the layers are looked at: their pictures are several.
    finding: Finding = _LAYERS if method == "layers" else _SILHOUETTE
    if method == "layers":
        return Explanation(finding, None, None, montages=(_image(), None))
    return Explanation(finding, BoundingBox(0, 0, 1, 1), _image())


def _image() -> EncodedImage:
    return EncodedImage("image/png", 1, 1, PNG)
