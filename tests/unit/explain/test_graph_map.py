"""Maps of the served graph, on hand-made values."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain import METHODS
from api.explain.graph_map import measure_map, published_scale
from api.types import ExplainOptions, MapFinding, MapScale, MapUnit, Question, RelativeBox, Subject
from serving.backend import BackendProtocolError

SCALE = MapScale(2.0, "log-odds")
SCALES = {"saliency": 0.25, "grad_cam": 1.5, "grad_cam_plus_plus": 3}
VALUES = np.array([[0, 1, 2, 3, 4], [8, 7.2, 0, 0, 0], [0, 0, 0, 5.6, 0], [0, 0, 0, 0, 0.5]], np.float32)
PIXELS, STUDY = np.zeros((30, 40), np.uint8), np.zeros((128, 128), np.uint8)


def subject_with(scales: Any) -> Subject:
    return Subject(PIXELS, STUDY, STUDY, None, {"classifier_explain": {"map_scales": scales}})


def explain(method: str, values: NDArray[np.float32], threshold: float = 0.7) -> tuple[Question, MapFinding]:
    explainer = METHODS[method].explain(subject_with(SCALES), ExplainOptions((method,), threshold))
    question = next(explainer)
    with pytest.raises(StopIteration) as stop:
        explainer.send({method: values[np.newaxis]})
    assert isinstance(stop.value.value, MapFinding)
    return question, stop.value.value


@pytest.mark.parametrize(
    ("threshold", "strongest", "box"),
    [
        (0.5, [(0, 4), (1, 0), (1, 1), (2, 3)], RelativeBox(0, 0, 1, 0.75)),
        (0.7, [(1, 0), (1, 1), (2, 3)], RelativeBox(0, 0.25, 0.8, 0.75)),
        (0.8, [(1, 0), (1, 1)], RelativeBox(0, 0.25, 0.4, 0.5)),
        (1.0, [(1, 0)], RelativeBox(0, 0.25, 0.2, 0.5)),
    ],
)
def test_the_strongest_part_is_measured_by_the_maps_own_maximum(
    threshold: float, strongest: list[tuple[int, int]], box: RelativeBox
) -> None:
    """The maximum is 8, so that 4, 5.6 and 7.2 are 0.5, 0.7 and 0.9 of it, whatever the scale of the colours."""
    for upper in (2.0, 100.0):
        finding = measure_map(VALUES, MapScale(upper, "log-odds"), threshold)
        assert [tuple(index) for index in np.argwhere(finding.strongest)] == strongest
        assert finding.coverage == len(strongest) / 20
        assert finding.region == box
        assert finding.drawable
        np.testing.assert_array_equal(finding.values, VALUES)


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_constant_map_is_flagged_and_marks_nothing(level: float) -> None:
    finding = measure_map(np.full((7, 7), level, np.float32), SCALE, 0.5)
    assert (finding.constant, finding.non_finite, finding.drawable) == (True, False, False)
    assert (finding.region, finding.coverage) == (None, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_map_with_a_value_that_is_no_number_is_flagged_and_marks_nothing(value: float, everywhere: bool) -> None:
    values = np.full_like(VALUES, value) if everywhere else VALUES.copy()
    values[3, 4] = value
    finding = measure_map(values, SCALE, 0.5)
    assert (finding.constant, finding.non_finite, finding.drawable) == (False, True, False)
    assert (finding.region, finding.coverage) == (None, 0)


def test_a_negative_value_breaks_the_contract_of_the_model() -> None:
    with pytest.raises(BackendProtocolError, match="must not be negative"):
        explain("grad_cam", VALUES - 1)


@pytest.mark.parametrize(
    ("method", "unit", "pixelwise"),
    [
        ("saliency", "log-odds per grey level", True),
        ("grad_cam", "log-odds", False),
        ("grad_cam_plus_plus", "arbitrary units", False),
    ],
)
def test_each_method_asks_for_its_map_of_the_radiograph_itself(method: str, unit: MapUnit, pixelwise: bool) -> None:
    question, finding = explain(method, VALUES)
    assert (question.model, question.outputs) == ("classifier_explain", (method,))
    assert len(question.images) == 1
    assert question.images[0] is PIXELS
    assert question.may_be_non_finite == {method}
    assert finding.scale == MapScale(SCALES[method], unit)
    assert (finding.pixelwise, finding.threshold) == (pixelwise, 0.7)


def test_the_sign_of_saliency_is_left_out() -> None:
    signs = np.where(np.indices(VALUES.shape).sum(axis=0) % 2, 1, -1).astype(np.float32)
    _, finding = explain("saliency", VALUES * signs)
    np.testing.assert_array_equal(finding.values, VALUES)
    assert finding.region == RelativeBox(0, 0.25, 0.8, 0.75)


@pytest.mark.parametrize("upper", [0.5, 3, 1e-30])
def test_a_scale_is_read_from_the_release(upper: float) -> None:
    assert published_scale(subject_with({"grad_cam": upper}), "grad_cam", "log-odds") == MapScale(upper, "log-odds")


@pytest.mark.parametrize(
    "scales",
    [None, {}, [1.0], "grad_cam", {"saliency": 1.0}]
    + [{"grad_cam": upper} for upper in (None, 0, 0.0, -1, "1", True, [1], np.inf, np.nan)],
    ids=repr,
)
def test_a_scale_that_is_missing_or_wrong_breaks_the_contract_and_is_named(scales: Any) -> None:
    with pytest.raises(BackendProtocolError, match=r"'map_scales' with a positive number 'grad_cam'"):
        published_scale(subject_with(scales), "grad_cam", "log-odds")


def test_a_release_without_scales_is_refused_before_the_model_is_asked() -> None:
    subject = Subject(PIXELS, STUDY, STUDY, None, {"classifier_explain": {}})
    with pytest.raises(BackendProtocolError):
        next(METHODS["saliency"].explain(subject, ExplainOptions(("saliency",))))
