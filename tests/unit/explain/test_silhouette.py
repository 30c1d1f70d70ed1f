"""The study's silhouette rule, against sums counted another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.errors import NotReady
from api.explain.silhouette import explain_silhouette, locate_silhouette
from api.types import ExplainOptions, Finding, RelativeBox, SilhouetteFinding, SilhouetteGridFinding, Subject

BOXES = {
    "image_upper_left": RelativeBox(0, 0, 0.5, 0.5),
    "image_lower_left": RelativeBox(0, 0.5, 0.5, 1),
    "image_upper_right": RelativeBox(0.5, 0, 1, 0.5),
    "image_lower_right": RelativeBox(0.5, 0.5, 1, 1),
}


def black() -> NDArray[np.uint8]:
    return np.zeros((128, 128), np.uint8)


@pytest.mark.parametrize(
    ("row", "column", "quadrant"),
    [
        (20, 0, "image_upper_left"),
        (63, 63, "image_upper_left"),
        (64, 63, "image_lower_left"),
        (109, 0, "image_lower_left"),
        (20, 64, "image_upper_right"),
        (63, 127, "image_upper_right"),
        (64, 64, "image_lower_right"),
        (109, 127, "image_lower_right"),
    ],
)
def test_one_white_pixel_decides(row: int, column: int, quadrant: str) -> None:
    image = black()
    image[row, column] = 1
    finding = locate_silhouette(image)
    assert finding.quadrant == quadrant
    assert finding.half == "image_" + quadrant.rsplit("_", 1)[1]
    assert finding.region == BOXES[quadrant]
    assert finding.scores[quadrant] == 1.0
    assert finding.scores[finding.half] == 1.0


@pytest.mark.parametrize("row", [0, 19, 110, 127])
def test_rows_outside_20_to_110_do_not_count(row: int) -> None:
    image = black()
    image[row, 64:] = 255
    image[70, 3] = 1
    assert locate_silhouette(image).quadrant == "image_lower_left"


def test_ties_go_left_and_up() -> None:
    finding = locate_silhouette(black())
    assert (finding.half, finding.quadrant) == ("image_left", "image_upper_left")
    assert set(finding.scores.values()) == {0.5}
    image = black()
    image[30, [10, 100]] = image[90, [10, 100]] = 7
    assert locate_silhouette(image).quadrant == "image_upper_left"


def test_a_uniform_image_prefers_the_lower_quadrant_because_it_has_more_rows() -> None:
    """64:110 has 46 rows and 20:64 has 44; the study sums, it does not average."""
    finding = locate_silhouette(np.full((128, 128), 200, np.uint8))
    assert finding.quadrant == "image_lower_left"
    assert finding.scores["image_lower_left"] == pytest.approx(46 / 90)


@given(st.integers(0, 2**32 - 1))
def test_random_images_against_a_count_pixel_by_pixel(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (128, 128), dtype=np.uint8)
    sums = dict.fromkeys(BOXES, 0)
    for row in range(20, 110):
        for side, columns in (("left", slice(0, 64)), ("right", slice(64, 128))):
            zone = "upper" if row < 64 else "lower"
            sums[f"image_{zone}_{side}"] += sum(image[row, columns].tolist())
    halves = {side: sums[f"image_upper_{side}"] + sums[f"image_lower_{side}"] for side in ("left", "right")}
    side = "left" if halves["left"] >= halves["right"] else "right"
    upper, lower = sums[f"image_upper_{side}"], sums[f"image_lower_{side}"]
    finding = locate_silhouette(image)
    assert finding.half == f"image_{side}"
    assert finding.quadrant == f"image_{'upper' if upper >= lower else 'lower'}_{side}"
    assert finding.scores == pytest.approx(
        {
            "image_left": halves["left"] / sum(halves.values()),
            "image_right": halves["right"] / sum(halves.values()),
            f"image_upper_{side}": upper / (upper + lower),
            f"image_lower_{side}": lower / (upper + lower),
        }
    )


def explained(options: ExplainOptions, lungs: NDArray[np.float32] | None = None) -> Finding:
    """A picture whose lower left sixteenth of the studied rows is white, seen by the classifier at half the size."""
    study = black()
    study[88:110, 0:32] = 255
    explainer = explain_silhouette(Subject(study, study, study[::2, ::2], lungs, {}), options)
    with pytest.raises(StopIteration) as end:
        next(explainer)
    finding: Finding = end.value.value
    return finding


def test_without_options_it_is_the_study_s_rule() -> None:
    finding = explained(ExplainOptions(("silhouette",)), np.ones((32, 32), np.float32))
    assert isinstance(finding, SilhouetteFinding)
    assert finding.quadrant == "image_lower_left"


def test_regions_lay_a_grid_on_the_studied_rows() -> None:
    finding = explained(ExplainOptions(("silhouette",), regions=16))
    assert isinstance(finding, SilhouetteGridFinding)
    assert (finding.winner and finding.winner.name, finding.lungs, finding.borders) == ("row_4_column_1", None, None)


@pytest.mark.parametrize(("regions", "count"), [(None, 4), (6, 6)])
def test_lungs_lay_a_grid_on_the_lungs_as_the_classifier_sees_them(regions: int | None, count: int) -> None:
    lungs = np.zeros((32, 32), np.float32)
    lungs[:, 0:8], lungs[:, 24:] = 0.5, 1
    finding = explained(ExplainOptions(("silhouette",), regions=regions, lungs=True), lungs)
    assert isinstance(finding, SilhouetteGridFinding) and finding.lungs is not None and finding.winner is not None
    assert len(finding.regions) == count
    # Bilinear enlarging blurs the mask's edge, but moves it by no more than a pixel.
    np.testing.assert_array_equal(finding.lungs[:, [0, 14, 17, 46, 49, 63]].all(axis=0), [1, 1, 0, 0, 1, 1])
    assert finding.winner.name == "image_lower_left"
    assert finding.borders is None  # there are no figures for 64 pixels


def test_lungs_that_the_models_cannot_find_are_an_error() -> None:
    explainer = explain_silhouette(
        Subject(black(), black(), black(), None, {}), ExplainOptions(("silhouette",), lungs=True)
    )
    with pytest.raises(NotReady, match="lung_segmenter"):
        next(explainer)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(128, 128\)"):
        locate_silhouette(np.zeros((64, 64), np.uint8))
