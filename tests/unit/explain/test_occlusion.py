"""Drops of a linear classifier, which can be worked out by hand, and what is made of them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain import METHODS
from api.explain.grid import Region, regions_of
from api.explain.hiding import hide_each
from api.explain.occlusion import HALVES, QUADRANTS, measure_drops
from api.types import ExplainOptions, Fill, OcclusionFinding, Question, RelativeBox, Subject
from serving.backend import BackendProtocolError

PIXELS = np.zeros((300, 400), np.uint8)
STUDY_DIVISIONS = (HALVES, QUADRANTS)
STUDY_NAMES = [region.name for regions in STUDY_DIVISIONS for region in regions]


def quadrants(
    upper_left: int, upper_right: int, lower_left: int, lower_right: int, size: int = 64
) -> NDArray[np.uint8]:
    levels = np.array([[upper_left, upper_right], [lower_left, lower_right]], np.uint8)
    return np.kron(levels, np.ones((size // 2, size // 2), np.uint8))


def linear(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Log-odds that are the sum of all grey levels over 100,000, less 2."""
    return np.array([image.sum(dtype=np.int64) / 100_000 - 2 for image in images])


def explain(seen: NDArray[np.uint8], regions: int | None = None, fill: Fill = "black") -> OcclusionFinding:
    _, finding = ask_and_explain(seen, regions, fill)
    return finding


def ask_and_explain(
    seen: NDArray[np.uint8], regions: int | None = None, fill: Fill = "black"
) -> tuple[Question, OcclusionFinding]:
    subject = Subject(PIXELS, PIXELS, seen, None, {})
    explainer = METHODS["occlusion"].explain(subject, ExplainOptions(("occlusion",), regions=regions, fill=fill))
    question = next(explainer)
    log_odds = linear(question.images)
    # Only the difference of the two logits means something.
    with pytest.raises(StopIteration) as stop:
        explainer.send({"logits": np.stack([np.full_like(log_odds, 5), log_odds + 5], axis=1)})
    assert isinstance(stop.value.value, OcclusionFinding)
    return question, stop.value.value


def drops_of(finding: OcclusionFinding) -> dict[str, float]:
    return {each.name: each.drop for each in finding.regions}


def ranks_of(finding: OcclusionFinding) -> dict[str, int]:
    return {each.name: each.rank for each in finding.regions}


def test_black_takes_away_the_sum_of_the_region() -> None:
    """A quadrant has 1024 pixels."""
    finding = explain(quadrants(40, 200, 120, 0))
    assert finding.baseline == pytest.approx(1024 * 360 / 100_000 - 2)
    assert drops_of(finding) == pytest.approx(
        {
            "image_left": 1.6384,
            "image_right": 2.048,
            "image_upper_left": 0.4096,
            "image_upper_right": 2.048,
            "image_lower_left": 1.2288,
            "image_lower_right": 0.0,
        }
    )
    assert list(ranks_of(finding).values()) == [2, 1, 3, 1, 2, 4]
    assert (finding.half, finding.quadrant) == ("image_right", "image_upper_right")
    assert finding.region == RelativeBox(0.5, 0.0, 1.0, 0.5)
    assert [each.name for each in finding.drawn] == STUDY_NAMES[2:]


def test_the_mean_around_a_dark_region_makes_its_drop_negative() -> None:
    """The ring is 4 pixels wide: right of the upper left quadrant 128 of level 200, below 128 of 120; the corner 0."""
    finding = explain(quadrants(40, 200, 120, 0), fill="mean")
    level = round((128 * 200 + 128 * 120) / 272)
    assert drops_of(finding)["image_upper_left"] == pytest.approx(1024 * (40 - level) / 100_000)
    assert drops_of(finding)["image_upper_left"] < -1
    assert drops_of(finding)["image_right"] == pytest.approx(1024 * (200 - 2 * 80) / 100_000)
    assert finding.fill == "mean"


def test_by_default_the_surroundings_fill_the_region() -> None:
    assert ExplainOptions(("occlusion",)).fill == "mean"


def test_a_region_can_be_blurred() -> None:
    spot = np.full((64, 64), 50, np.uint8)
    spot[10:14, 40:44] = 250
    finding = explain(spot, fill="blur")
    (blurred,) = hide_each(spot, [QUADRANTS[1].box], "blur")
    assert drops_of(finding)["image_upper_right"] == pytest.approx((linear([spot]) - linear([blurred]))[0])
    assert 0 < abs(drops_of(finding)["image_upper_right"]) < 0.01


@pytest.mark.parametrize("count", [4, 6, 8, 16, 24])
def test_a_grid_hides_its_cells_alone(count: int) -> None:
    seen = np.zeros((96, 96), np.uint8)
    seen[:16, 72:] = 100  # in the last column and the first row of every grid
    question, finding = ask_and_explain(seen, count)
    assert len(question.images) == count + 1
    assert [each.name for each in finding.regions] == [region.name for region in regions_of(count)]
    assert finding.drawn == finding.regions
    columns = {4: 2, 6: 2, 8: 2, 16: 4, 24: 4}[count]
    assert finding.strongest is not None
    assert finding.strongest == finding.regions[columns - 1]
    assert finding.strongest.drop == pytest.approx(16 * 24 * 100 / 100_000)
    assert [each.drop for each in finding.regions if each != finding.strongest] == [0] * (count - 1)
    assert finding.region == regions_of(count)[columns - 1].box
    assert finding.half is None
    assert finding.quadrant == ("image_upper_right" if count == 4 else None)


def test_all_is_asked_in_one_question_about_what_the_classifier_sees() -> None:
    seen = quadrants(40, 200, 120, 10)
    question, _ = ask_and_explain(seen)
    assert (question.model, question.outputs, question.may_be_non_finite) == ("classifier", ("logits",), frozenset())
    assert question.images[0] is seen
    assert [image.shape for image in question.images] == [seen.shape] * 7
    hidden = [(image == 0).mean() for image in question.images]
    assert hidden == [0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


@pytest.mark.parametrize("regions", [None, 8])
def test_where_hiding_changes_nothing_nothing_is_named(regions: int | None) -> None:
    finding = explain(np.full((64, 64), 90, np.uint8), regions, "blur")
    assert set(drops_of(finding).values()) == {0}
    assert (finding.strongest, finding.region, finding.half, finding.quadrant) == (None, None, None, None)


def test_where_hiding_only_raises_the_log_odds_nothing_is_named() -> None:
    finding = measure_drops(np.array([1.0, 1.5, 1.009, 2, 3, 0.995, 1]), STUDY_DIVISIONS, "blur")
    assert list(drops_of(finding).values()) == pytest.approx([-0.5, -0.009, -1, -2, 0.005, 0])
    assert list(ranks_of(finding).values()) == [2, 1, 3, 4, 1, 2]
    assert (finding.strongest, finding.half, finding.quadrant) == (None, None, None)


def test_half_and_quadrant_are_found_each_for_itself() -> None:
    """A network may lose more with the left half, and yet most with a quadrant of the right one."""
    finding = measure_drops(np.array([2, 0, 1, 1.5, 1.75, 1.5, 0.5]), STUDY_DIVISIONS, "blur")
    assert (finding.half, finding.quadrant) == ("image_left", "image_lower_right")
    assert finding.region == RelativeBox(0.5, 0.5, 1, 1)


def test_where_no_quadrant_counts_the_halves_are_drawn() -> None:
    finding = measure_drops(np.array([2.0, 1.5, 1.0, 2, 2.5, 2, 2]), STUDY_DIVISIONS, "blur")
    assert [each.name for each in finding.drawn] == ["image_left", "image_right"]
    assert (finding.half, finding.quadrant) == ("image_right", None)
    assert finding.region == RelativeBox(0.5, 0, 1, 1)


def test_of_equal_drops_the_first_wins() -> None:
    finding = measure_drops(np.array([2.0, 1, 1, 1, 1, 1, 1]), STUDY_DIVISIONS, "blur")
    assert (finding.half, finding.quadrant) == ("image_left", "image_upper_left")
    assert list(ranks_of(finding).values()) == [1, 2, 1, 2, 3, 4]


def test_the_scale_does_not_depend_on_the_radiograph() -> None:
    weak, strong = (explain(quadrants(level, 0, 0, 0)) for level in (2, 250))
    assert weak.scale == strong.scale
    assert weak.scale.unit == "log-odds"


def test_equal_divisions_are_recognised_by_their_regions() -> None:
    mine = tuple(Region(region.name, region.box) for region in HALVES)
    assert measure_drops(np.array([2.0, 1, 0]), (mine,), "black").half == "image_right"


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 3), (7, 2, 1)])
def test_other_logits_break_the_contract_of_the_model(shape: tuple[int, ...]) -> None:
    subject = Subject(PIXELS, PIXELS, quadrants(1, 2, 3, 4), None, {})
    explainer = METHODS["occlusion"].explain(subject, ExplainOptions(("occlusion",)))
    next(explainer)
    with pytest.raises(BackendProtocolError, match=r"must be of shape \[n, 2\]"):
        explainer.send({"logits": np.zeros(shape)})
