"""Findings whose heat is counted by hand, on lungs of two boxes, and what is said of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.explain.evidence import FRAME
from api.explain.graph_map import measure_map
from api.explain.trust import assess
from api.types import (
    Assessment,
    Finding,
    Judged,
    Layer,
    LayersFinding,
    MapScale,
    Prediction,
    RelativeBox,
    SilhouetteFinding,
    Subject,
)
from tests.unit.explain.evidence_by_hand import block, two_lungs

SHAPE = (FRAME, FRAME)
SCALE = MapScale(1.0, "log-odds")
LUNGS = two_lungs().mask.astype(np.float32)  # rows 28 to 195; columns 28 to 83 and 140 to 195
LEFT_MIDDLE = block(SHAPE, slice(84, 140), slice(28, 84))
RIGHT_MIDDLE = block(SHAPE, slice(84, 140), slice(140, 196))
LAYERS = LayersFinding((Layer("late", np.ones((1, 2, 2), np.float32), (0,), 1.0),))
MEASURED: dict[str, Any] = {"fails_randomisation": []}


def subject(lungs: NDArray[np.float32] | None = LUNGS, /, **release: Any) -> Subject:
    """A black radiograph, judged by models that publish `release`."""
    image = np.zeros(SHAPE, np.uint8)
    return Subject(image, image, image, lungs, {"classifier_explain": release})


def answer(label: str = "PNEUMONIA", *warnings: str, indeterminate: bool = False) -> Judged:
    """An answer of the classifier to a picture of which the gate warns."""
    prediction = Prediction(label, 0.9, indeterminate, {label: 0.9}, 0.5)
    return Judged(prediction, label == "PNEUMONIA", warnings)


def pixels(values: NDArray[np.float32]) -> Finding:
    """A saliency map, or another of one value a pixel."""
    return measure_map(values, SCALE, 0.7, pixelwise=True)


def coarse(values: NDArray[np.float32]) -> Finding:
    """A Grad-CAM, or another map of a coarse grid."""
    return measure_map(values, SCALE, 0.7)


def box(left: float, top: float, right: float, bottom: float) -> Finding:
    """A silhouette."""
    return SilhouetteFinding("image_left", "image_upper_left", RelativeBox(left, top, right, bottom), {})


def judge(lungs: NDArray[np.float32] | None = LUNGS, /, tests: Any = None, **findings: Finding) -> Assessment:
    """Assess findings about a radiograph of pneumonia, by a release in which nothing fails randomisation."""
    return assess(findings, subject(lungs, **MEASURED), tests or {}, answer())


def flags(assessment: Assessment) -> dict[str, tuple[str, ...]]:
    """Give the flags of each method."""
    return {method: judged.flags for method, judged in assessment.trust.items()}
