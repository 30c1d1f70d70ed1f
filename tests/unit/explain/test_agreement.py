"""Sides, zones, overlaps and contradictions, counted by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.agreement import agree, jaccard, overlap
from api.explain.whereabouts import Lungs, decisive, divide, find_lungs, share_inside, shares
from api.types import Zone
from tests.unit.explain.evidence_by_hand import block, evidence, lungs_of, marked

SHAPE = (6, 10)
EVERYWHERE = np.ones(SHAPE, np.bool_)
LEFT, RIGHT = slice(0, 5), slice(5, 10)


def test_lungs_are_divided_at_the_middle_of_their_own_box() -> None:
    """The lungs take up rows 2 to 7 and columns 1 to 4 of a frame of 10 x 12."""
    lungs = lungs_of(marked((10, 12), slice(2, 8), slice(1, 5)))
    np.testing.assert_array_equal(lungs.sides["image_left"], marked((10, 12), slice(2, 8), slice(1, 3)))
    np.testing.assert_array_equal(lungs.sides["image_right"], marked((10, 12), slice(2, 8), slice(3, 5)))
    zones: dict[Zone, slice] = {"upper": slice(2, 4), "middle": slice(4, 6), "lower": slice(6, 8)}
    for zone, rows in zones.items():
        np.testing.assert_array_equal(lungs.zones[zone], marked((10, 12), rows, slice(1, 5)))


def test_the_segmenters_mask_counts_from_one_half() -> None:
    mask = np.full((224, 224), 0.49, np.float32)
    assert find_lungs(mask) == "no lungs found"
    assert find_lungs(None) == "lungs unknown"
    assert divide(np.zeros((4, 4), np.bool_)) is None
    mask[10:33, 20:42] = 0.5  # 506 points; 1 % of the frame are 501.76
    lungs = find_lungs(mask)
    assert isinstance(lungs, Lungs)
    np.testing.assert_array_equal(lungs.mask, mask == 0.5)


def test_less_than_one_percent_of_the_frame_are_no_lungs() -> None:
    mask = np.zeros((224, 224), np.float32)
    mask[0, :], mask[1, :], mask[2, :53] = 1, 1, 1
    assert mask.sum() == 501
    assert find_lungs(mask) == "no lungs found"
    mask[2, 53] = 1
    assert isinstance(find_lungs(mask), Lungs)


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [(6, 4, "image_left"), (59, 41, None), (4, 6, "image_right"), (5, 5, None), (0, 1, "image_right"), (0, 0, None)],
)
def test_a_side_is_decisive_from_60_percent(left: float, right: float, side: str | None) -> None:
    heat = block(SHAPE, slice(2, 3), slice(4, 5), left) + block(SHAPE, slice(2, 3), slice(5, 6), right)
    lungs = lungs_of(EVERYWHERE)
    assert decisive(heat, lungs.sides) == side
    assert shares(heat, lungs.sides) == (
        {"image_left": left / (left + right), "image_right": right / (left + right)} if left + right else {}
    )


def test_heat_outside_the_lungs_does_not_decide() -> None:
    lungs = lungs_of(marked(SHAPE, slice(0, 6), slice(4, 6)))
    heat = block(SHAPE, slice(0, 6), slice(0, 4), 100) + block(SHAPE, slice(0, 1), slice(5, 6))
    assert decisive(heat, lungs.sides) == "image_right"
    assert decisive(heat, lungs.zones) == "upper"


@pytest.mark.parametrize(
    ("other", "expected_overlap", "expected_jaccard"),
    [
        (marked(SHAPE, slice(0, 2), slice(0, 4)), 1.0, 1.0),
        (marked(SHAPE, slice(0, 1), slice(0, 2)), 1.0, 2 / 8),
        (marked(SHAPE, slice(0, 2), slice(2, 6)), 0.5, 4 / 12),
        (marked(SHAPE, slice(4, 6), slice(0, 4)), 0.0, 0.0),
        (EVERYWHERE, 1.0, 8 / 60),
    ],
    ids=["the same", "a part", "half", "apart", "everything"],
)
def test_overlap_is_of_the_smaller_region_and_jaccard_of_both(
    other: NDArray[np.bool_], expected_overlap: float, expected_jaccard: float
) -> None:
    one = marked(SHAPE, slice(0, 2), slice(0, 4))
    for first, second in ((one, other), (other, one)):
        assert overlap(first, second) == pytest.approx(expected_overlap)
        assert jaccard(first, second) == pytest.approx(expected_jaccard)


def test_the_score_is_the_mean_of_all_pairs_and_contradictions_are_named() -> None:
    given = {
        "a": evidence("a", block(SHAPE, slice(0, 2), LEFT)),  # upper left
        "b": evidence("b", block(SHAPE, slice(4, 6), LEFT)),  # lower left
        "c": evidence("c", block(SHAPE, slice(0, 2), RIGHT)),  # upper right
        "d": evidence("d", block(SHAPE, slice(0, 6), slice(0, 10)), marked(SHAPE, slice(0, 1), LEFT)),  # undecided
    }
    agreement = agree(given, lungs_of(EVERYWHERE))
    assert agreement is not None
    pairs = {pair.methods: (pair.overlap, pair.disputed) for pair in agreement.pairs}
    assert pairs == {
        ("a", "b"): (0.0, ("zone",)),
        ("a", "c"): (0.0, ("side",)),
        ("a", "d"): (1.0, ()),
        ("b", "c"): (0.0, ("side", "zone")),
        ("b", "d"): (0.0, ()),
        ("c", "d"): (0.0, ()),
    }
    assert agreement.score == pytest.approx(1 / 6)
    assert [pair.methods for pair in agreement.contradicting] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_one_method_has_nothing_to_agree_with() -> None:
    assert agree({}, lungs_of(EVERYWHERE)) is None
    assert agree({"a": evidence("a", block(SHAPE, LEFT, LEFT))}, lungs_of(EVERYWHERE)) is None


@pytest.mark.parametrize(("level", "disputed"), [(0.9, ()), (1.1, ("side",))])
def test_a_method_that_misses_the_lungs_contradicts_nobody(level: float, disputed: tuple[str, ...]) -> None:
    """The lungs are a third of the frame; of 10 + 5 `level` parts of heat, 5 `level` lie in them, on the left."""
    lungs = lungs_of(marked(SHAPE, slice(2, 4), slice(0, 10)))
    heat = block(SHAPE, slice(2, 3), LEFT, level) + block(SHAPE, slice(0, 1), slice(0, 10))
    assert (5 * level / (10 + 5 * level) < 1 / 3) is (disputed == ())
    agreement = agree({"a": evidence("a", heat), "b": evidence("b", block(SHAPE, slice(2, 4), RIGHT))}, lungs)
    assert agreement is not None
    assert agreement.pairs[0].disputed == disputed


def test_without_lungs_regions_are_compared_and_no_contradiction_is_claimed() -> None:
    given = {name: evidence(name, block(SHAPE, slice(0, 2), part)) for name, part in (("a", LEFT), ("b", RIGHT))}
    agreement = agree(given, "lungs unknown")
    assert agreement is not None
    assert (agreement.score, agreement.contradicting) == (0.0, ())


def test_the_share_of_a_map_in_a_mask_by_hand() -> None:
    heat = np.array([[1, 2], [3, 4]], np.float32)
    assert share_inside(heat, np.array([[True, False], [False, True]])) == pytest.approx(0.5)
    assert share_inside(heat, np.array([[False, False], [True, False]])) == pytest.approx(0.3)
