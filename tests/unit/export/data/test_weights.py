"""Sample weights, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from export.data.examples import ADULTS, CHILDREN, Example
from export.data.weights import sample_weights


def adult(target: int, view: str) -> Example:
    return Example(Path("x.jpeg"), target, "", "p", population=ADULTS, view=view)


GROUPS = [(0, "AP", 6), (0, "PA", 2), (1, "AP", 1), (1, "PA", 3)]
ADULT_EXAMPLES = [adult(target, view) for target, view, count in GROUPS for _ in range(count)]
IMAGES = np.zeros((12, 8, 8, 1), dtype=np.uint8)


def test_both_labels_count_the_same() -> None:
    weights = sample_weights(ADULT_EXAMPLES, IMAGES, "class")
    np.testing.assert_allclose(weights, [0.5 * 12 / 8] * 8 + [0.5 * 12 / 4] * 4, rtol=1e-6)


def test_the_view_no_longer_tells_the_label_of_an_adult() -> None:
    weights = sample_weights(ADULT_EXAMPLES, IMAGES, "style").astype(float)
    sums = dict.fromkeys([(target, view) for target, view, _ in GROUPS], 0.0)
    for weight, example in zip(weights, ADULT_EXAMPLES, strict=True):
        sums[example.target, example.view] += weight
    assert sums[0, "AP"] == pytest.approx(sums[1, "AP"])
    assert sums[0, "PA"] == pytest.approx(sums[1, "PA"])
    assert weights.mean() == pytest.approx(1)


def test_populations_are_balanced_each_on_its_own() -> None:
    children = [Example(Path("y.jpeg"), int(i < 3), "", f"c{i}", population=CHILDREN) for i in range(12)]
    images = np.concatenate([IMAGES, IMAGES])
    weights = sample_weights([*ADULT_EXAMPLES, *children], images, "class", adult_weight=3)
    np.testing.assert_allclose(weights[:12], 3 * sample_weights(ADULT_EXAMPLES, IMAGES, "class"))
    np.testing.assert_allclose(weights[12:], [2.0] * 3 + [2 / 3] * 9, rtol=1e-6)
