"""Answers to DICOM images, made by hand and without a model."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread

from api.imaging.dicom.tags import read_acquisition
from api.types import (
    AffectedRegion,
    Assessment,
    BoundingBox,
    DicomSource,
    EncodedImage,
    Explanation,
    Layer,
    LayersFinding,
    MapFinding,
    MapScale,
    ModelIdentity,
    ModelRecord,
    OcclusionFinding,
    OutlinedRegion,
    Prediction,
    Quality,
    Radiograph,
    Receipt,
    RegionDrop,
    RelativeBox,
    Report,
    Side,
    SilhouetteFinding,
    Study,
)
from tests.dicom.files import dataset

ROWS, COLUMNS = 30, 40
_UPPER_LEFT = RelativeBox(0.0, 0.0, 0.5, 0.5)
_OUTLINE = ((0.1, 0.2), (0.4, 0.2), (0.4, 0.6), (0.1, 0.2))
TRUST = "The model says PNEUMONIA. Grad-CAM and occlusion point to the left of the image."
LEVELS = np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS).astype(np.uint8)


def header(**attributes: Any) -> Dataset:
    """Give what a DICOM image says but for its pixels, as it is read from a file."""
    image = dataset(LEVELS, modality="CR", **attributes)
    return reread(image)


def reread(image: Dataset) -> Dataset:
    """Write an object and read it, so that its values are bytes again; without its pixels."""
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    read = dcmread(io.BytesIO(buffer.getvalue()))
    del read.PixelData
    return read


def receipt(label: str = "PNEUMONIA", probability: float = 0.9704, **changes: Any) -> Receipt:
    """A receipt with nothing but the answer to choose."""
    fields: dict[str, Any] = {
        "input_sha256": "ab" * 32,
        "keyed": False,
        "model": ModelRecord("classifier", "3", "cd" * 32),
        "other_models": (ModelRecord("lung_segmenter", "1", "ef" * 32),),
        "parameters": {"operation": "explain", "methods": ("silhouette", "gradient"), "decision_threshold": 0.4},
        "service_version": "0.1.0",
        "label": label,
        "probability": probability,
        "indeterminate": False,
    }
    return Receipt(**{**fields, **changes})


def report(
    source: Dataset | None = None,
    explanations: Mapping[str, Explanation] | None = None,
    *,
    made: Receipt | None = None,
    sides: tuple[Side, ...] = ("image_left",),
    warnings: tuple[str, ...] | None = (),
    outlined: bool = False,
) -> Report:
    """An answer to an image, by default without explanations. With `outlined`, the methods agree on a region."""
    made = made or receipt()
    header_ = header() if source is None else source
    region = AffectedRegion(_OUTLINE, RelativeBox(0.1, 0.2, 0.4, 0.6), 0.2, sides, ("upper",), ("grad_cam",))
    assessment = Assessment(None, region if outlined else "methods disagree", {}, TRUST)
    return Report(
        model=ModelIdentity("classifier", "3", "resnet50"),
        radiograph=Radiograph(LEVELS, "dicom", 8, DicomSource(header_, read_acquisition(header_), Study())),
        prediction=Prediction(made.label, made.probability, made.indeterminate, {}, 0.4, 0.6),
        quality=None if warnings is None else Quality(True, 0.99, warnings),
        explanations=explanations,
        receipt=made,
        timings_ms={},
        assessment=assessment if explanations else None,
        affected_region=_outlined() if outlined else None,
    )


def all_methods() -> dict[str, Explanation]:
    """Explain by every method, each with a picture of its own colour; layers with two."""
    drop = RegionDrop("image_left", _UPPER_LEFT, 1.5, 1)
    scale = MapScale(1.0, "log-odds")
    findings: dict[str, Any] = {
        "silhouette": SilhouetteFinding("image_left", "image_upper_left", _UPPER_LEFT, {}),
        "gradient": _map(),
        "saliency": _map(),
        "grad_cam": _map(),
        "grad_cam_plus_plus": _map(),
        "occlusion": OcclusionFinding(0.5, "mean", scale, (drop,), (drop,), drop, "image_left", None),
    }
    explanations = {
        name: Explanation(finding, None, picture((40 * place, 10, 255 - 40 * place)))
        for place, (name, finding) in enumerate(findings.items())
    }
    values = np.ones((1, 2, 2), np.float32)
    layers = LayersFinding((Layer("conv1", values, (0,), 1.0), Layer("conv5", values, (0,), 1.0)))
    montages = (picture((9, 9, 9)), picture((90, 90, 90)))
    return {**explanations, "layers": Explanation(layers, None, None, montages=montages)}


def default_methods() -> dict[str, Explanation]:
    """Explain as the gateway does unless asked for more."""
    return {name: each for name, each in all_methods().items() if name in ("silhouette", "gradient")}


def picture(colour: tuple[int, int, int], width: int = 21, height: int = 13) -> EncodedImage:
    """A PNG, grey from its third column on, of an odd number of bytes as pixels."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:, :2] = colour
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return EncodedImage("image/png", width, height, buffer.getvalue())


def _map() -> MapFinding:
    values = np.ones((2, 2), np.float32)
    return MapFinding(values, MapScale(1.0, "log-odds"), 0.7, values > 0, None, False, False, False)


def _outlined() -> OutlinedRegion:
    polygon = tuple((x * COLUMNS, y * ROWS) for x, y in _OUTLINE)
    return OutlinedRegion(polygon, BoundingBox(4, 6, 12, 12), picture((80, 220, 255)))
