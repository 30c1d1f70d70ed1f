"""The outline and the vote, on shapes whose answer is counted by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.affected_region import coarsen, find_affected_region, smooth
from api.explain.evidence import FRAME
from api.explain.outline import MAX_POINTS, fill, largest_outline, simplify
from api.types import AffectedRegion, RelativeBox
from tests.unit.explain.evidence_by_hand import block, evidence, marked, two_lungs

SHAPE = (FRAME, FRAME)
LUNGS = two_lungs()  # rows 28 to 195; columns 28 to 83 and 140 to 195
LUNG_AREA = 2 * 168 * 56
LEFT_LUNG, RIGHT_LUNG = slice(28, 84), slice(140, 196)


def outline_of(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    outline = largest_outline(mask)
    assert outline is not None
    return outline


def region_of(*blocks: NDArray[np.float32]) -> AffectedRegion:
    """Let each block vote once, a block alone twice: fewer than two voters have no say."""
    heats = blocks if len(blocks) > 1 else 2 * blocks
    region = find_affected_region([evidence(str(i), heat) for i, heat in enumerate(heats)], LUNGS)
    assert isinstance(region, AffectedRegion)
    return region


# The outline


def test_a_block_is_outlined_along_its_edges() -> None:
    """Each corner is cut from half a point before it to half a point after it."""
    outline = outline_of(marked((20, 30), slice(4, 10), slice(7, 19)))
    corners = {(7.5, 4), (18.5, 4), (19, 4.5), (19, 9.5), (18.5, 10), (7.5, 10), (7, 9.5), (7, 4.5)}
    assert {(float(x), float(y)) for x, y in outline} <= corners
    assert (outline.min(axis=0).tolist(), outline.max(axis=0).tolist()) == ([7, 4], [19, 10])
    np.testing.assert_array_equal(outline[0], outline[-1])


def test_a_region_at_the_rim_is_closed_there() -> None:
    outline = outline_of(np.ones((8, 6), np.bool_))
    assert (outline.min(axis=0).tolist(), outline.max(axis=0).tolist()) == ([0, 0], [6, 8])


def test_of_two_parts_the_larger_is_outlined_and_of_equals_only_one() -> None:
    small, large = marked((40, 40), slice(2, 8), slice(2, 8)), marked((40, 40), slice(20, 30), slice(20, 27))
    np.testing.assert_array_equal(fill(outline_of(small | large), (40, 40)), large)
    twin = marked((40, 40), slice(20, 26), slice(20, 26))
    assert fill(outline_of(small | twin), (40, 40)).sum() == 36


def test_holes_belong_to_the_region() -> None:
    whole = marked((30, 30), slice(5, 25), slice(5, 25))
    holed = whole & ~marked((30, 30), slice(10, 20), slice(10, 20))
    np.testing.assert_array_equal(fill(outline_of(holed), (30, 30)), whole)


def test_nothing_marked_has_no_outline() -> None:
    assert largest_outline(np.zeros((5, 5), np.bool_)) is None


def test_a_ragged_shape_keeps_its_area_with_at_most_100_points() -> None:
    rows, columns = np.mgrid[:224, :224]
    angle = np.arctan2(rows - 112, columns - 112)
    flower = np.hypot(rows - 112, columns - 112) < 70 + 12 * np.sin(40 * angle)
    outline = outline_of(flower)
    assert len(outline) <= MAX_POINTS
    np.testing.assert_array_equal(outline[0], outline[-1])
    inside = fill(outline, (224, 224))
    assert (inside & flower).sum() / (inside | flower).sum() > 0.9


def test_points_between_others_are_left_out() -> None:
    line = np.array([[0, 0], [2, 0.1], [4, 0], [4, 3], [4.2, 4], [4, 8], [0, 8], [0, 4], [0, 0]], np.float64)
    assert simplify(line).tolist() == [[0, 0], [4, 0], [4, 8], [0, 8], [0, 0]]


# The vote


def test_smoothing_keeps_sums_and_is_a_gaussian() -> None:
    spot = block(SHAPE, slice(112, 113), slice(112, 113))
    smoothed = smooth(spot)
    assert smoothed.sum() == pytest.approx(1, abs=1e-3)
    expected = np.exp(-(np.array([0, 8, 16]) ** 2) / (2 * 8**2))  # 1/28 of 224 points is 8
    np.testing.assert_allclose(smoothed[112, [112, 120, 128]] / smoothed[112, 112], expected, rtol=1e-4)


def test_scattered_pixels_become_one_coarse_region() -> None:
    scattered = np.zeros(SHAPE, np.bool_)
    scattered[60:120:6, 60:120:6] = True
    coarse = coarsen(scattered)
    assert coarse[70:110, 70:110].all()
    assert not coarse[:45].any() and not coarse[:, 140:].any()


def test_two_methods_that_mark_the_same_make_its_coarse_region_in_the_lungs() -> None:
    """The block reaches 28 columns beyond the left lung; its straight edges stay where they are."""
    region = region_of(block(SHAPE, slice(84, 140), slice(0, 84)))
    assert region.region == RelativeBox(28 / 224, 84 / 224, 84 / 224, 140 / 224)
    assert region.share_of_lungs == pytest.approx(56 * 56 / LUNG_AREA, rel=0.04)  # corners are rounded
    assert (region.sides, region.zones, region.methods) == (("image_left",), ("middle",), ("0", "1"))
    assert region.outline[0] == region.outline[-1]
    xs, ys = np.array(region.outline).T
    assert (xs.min(), xs.max()) == pytest.approx((28 / 224, 84 / 224))
    assert (ys.min(), ys.max()) == pytest.approx((84 / 224, 140 / 224))


def test_of_two_methods_both_have_to_mark_a_point() -> None:
    region = region_of(block(SHAPE, slice(28, 112), LEFT_LUNG), block(SHAPE, slice(70, 196), LEFT_LUNG))
    assert (region.region.top, region.region.bottom) == pytest.approx((70 / 224, 112 / 224), abs=2 / 224)
    assert region.methods == ("0", "1")
    assert region.share_of_lungs == pytest.approx(42 * 56 / LUNG_AREA, rel=0.1)


def test_two_of_three_decide_and_the_third_is_not_named() -> None:
    lower_right = block(SHAPE, slice(140, 196), RIGHT_LUNG)
    region = region_of(lower_right, block(SHAPE, slice(28, 84), LEFT_LUNG), lower_right)
    assert (region.sides, region.zones, region.methods) == (("image_right",), ("lower",), ("0", "2"))


def test_two_of_four_are_a_tie_and_no_majority() -> None:
    left, right = block(SHAPE, slice(84, 140), LEFT_LUNG), block(SHAPE, slice(84, 140), RIGHT_LUNG)
    voters = [evidence(str(i), heat) for i, heat in enumerate((left, left, right, right))]
    assert find_affected_region(voters, LUNGS) == "methods disagree"
    assert isinstance(find_affected_region([*voters, evidence("4", left)], LUNGS), AffectedRegion)


def test_a_region_over_two_zones_names_both() -> None:
    region = region_of(block(SHAPE, slice(28, 140), RIGHT_LUNG))
    assert (region.sides, region.zones) == (("image_right",), ("upper", "middle"))


def test_regions_that_merely_touch_do_not_agree() -> None:
    """Each block's own edge is its border: the two share but the rounding of one row."""
    upper, lower = block(SHAPE, slice(28, 112), LEFT_LUNG), block(SHAPE, slice(112, 196), LEFT_LUNG)
    voters = [evidence("a", upper), evidence("b", lower)]
    assert find_affected_region(voters, LUNGS) == "methods disagree"


def test_the_reasons_why_there_is_none() -> None:
    inside, outside = block(SHAPE, slice(84, 140), LEFT_LUNG), block(SHAPE, slice(0, 15), slice(0, 224))
    assert find_affected_region([evidence("a", inside)], "no lungs found") == "no lungs found"
    assert find_affected_region([evidence("a", inside)], "lungs unknown") == "lungs unknown"
    assert find_affected_region([], LUNGS) == "too few methods"
    assert find_affected_region([evidence("a", inside)], LUNGS) == "too few methods"
    assert find_affected_region([evidence("a", outside), evidence("b", outside)], LUNGS) == "no evidence"
    assert find_affected_region([evidence("a", inside), evidence("b", outside)], LUNGS) == "no evidence"
