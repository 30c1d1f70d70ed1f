"""Dominant pixels of hand-made importance maps."""

import numpy as np
import pytest

from api.explain.gradient import explain_gradient, select_dominant_pixels
from api.types import ExplainOptions, GradientFinding, Question, RelativeBox, Subject

MAP = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.45, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]], np.float32)


@pytest.mark.parametrize(
    ("threshold", "shown", "box"),
    [
        (0.5, [(0, 2), (0, 3), (1, 0), (1, 1)], RelativeBox(0, 0, 1, 0.5)),
        (0.7, [(0, 3), (1, 0), (1, 1)], RelativeBox(0, 0, 1, 0.5)),
        (0.8, [(1, 0), (1, 1)], RelativeBox(0, 0.25, 0.5, 0.5)),
        (1.0, [(1, 0)], RelativeBox(0, 0.25, 0.25, 0.5)),
    ],
)
def test_pixels_that_reach_the_threshold_are_shown(
    threshold: float, shown: list[tuple[int, int]], box: RelativeBox
) -> None:
    """Stretched, the values 0.3, 0.4, 0.45 and 0.5 are 0.5, 0.75, 0.875 and 1."""
    finding = select_dominant_pixels(MAP, threshold)
    assert [tuple(index) for index in np.argwhere(finding.shown)] == shown
    assert finding.coverage == len(shown) / 16
    assert finding.region == box
    assert finding.raw_range == pytest.approx((0.1, 0.5))
    assert finding.importance[1, 1] == pytest.approx(0.875)
    assert not finding.constant


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_a_constant_map_is_flagged_and_shows_nothing(level: float) -> None:
    finding = select_dominant_pixels(np.full((128, 128), level, np.float32), 0.5)
    assert finding.constant
    assert finding.region is None
    assert finding.coverage == 0
    np.testing.assert_array_equal(finding.importance, 0)
    assert finding.raw_range == pytest.approx((level, level))


def test_the_method_asks_for_its_own_image_and_uses_the_answer() -> None:
    image = np.arange(128 * 128, dtype=np.uint32).astype(np.uint8).reshape(128, 128)
    subject = Subject(np.zeros((300, 400), np.uint8), image, image, None, {})
    explainer = explain_gradient(subject, ExplainOptions(("gradient",), threshold=0.8))
    question = next(explainer)
    assert isinstance(question, Question)
    assert (question.model, question.outputs) == ("pixel_importance", ("importance",))
    np.testing.assert_array_equal(question.images[0], image)
    with pytest.raises(StopIteration) as stop:
        explainer.send({"importance": MAP[np.newaxis]})
    finding = stop.value.value
    assert isinstance(finding, GradientFinding)
    assert finding.region == RelativeBox(0, 0.25, 0.5, 0.5)
