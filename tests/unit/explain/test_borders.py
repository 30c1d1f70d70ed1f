"""Borders traced in drawn chests, whose edges are known."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.border_figures import FIGURES
from api.explain.borders import divide_lungs, measure_borders, strongest_path, trace_diaphragm, trace_heart
from api.types import Side

AIR, TISSUE = 50, 150
SIDES: tuple[Side, Side] = ("image_left", "image_right")


def chest(heart: int = 1, diaphragm: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Two lungs, rows 30 to 169, columns 20 to 99 and 124 to 203; the heart begins at columns 80 and 144.

    `heart` and `diaphragm` are the number of equal steps from air to tissue, centred on the border; 1 is a sharp edge.
    """
    lungs = np.zeros((224, 224), np.bool_)
    lungs[30:170, 20:100] = lungs[30:170, 124:204] = True
    columns, rows = np.arange(224), np.arange(224)
    share_across = np.maximum(ramp(columns, 80, heart), 0) * (columns < 112)
    share_across = share_across + share_across[::-1]
    share_down = ramp(rows, 170, diaphragm)
    share = np.maximum(share_across[np.newaxis], share_down[:, np.newaxis])
    return np.rint(AIR + (TISSUE - AIR) * share).astype(np.uint8), lungs


def ramp(places: NDArray[np.int64], border: int, steps: int) -> NDArray[np.float64]:
    return np.asarray(((places - border + (steps + 1) // 2) / steps).clip(0, 1))


@pytest.mark.parametrize("side", SIDES)
def test_a_sharp_heart_border_is_found_where_it_was_drawn(side: Side) -> None:
    image, lungs = chest()
    border = trace_heart(image, divide_lungs(lungs)[side], side)
    assert border is not None
    # From 40 to 90 % of the way from row 30 to row 169: rows 85 to 154.
    np.testing.assert_array_equal(border.rows, np.arange(85, 155))
    # The heart's outermost columns: 80 on one side, and its mirror image on the other.
    np.testing.assert_array_equal(border.columns, 80 if side == "image_left" else 143)
    # All of the contrast within three pixels; 1 % of the frame is 2.24 of them.
    assert border.sharpness == pytest.approx(2.24 / 3)


@pytest.mark.parametrize("side", SIDES)
def test_a_sharp_diaphragm_is_found_where_it_was_drawn(side: Side) -> None:
    image, lungs = chest()
    border = trace_diaphragm(image, divide_lungs(lungs)[side], side)
    assert border is not None
    # The lung without the outer 15 % and the inner 10 % of its width of 79.
    expected = np.arange(31, 91) if side == "image_left" else np.arange(131, 191)
    np.testing.assert_array_equal(border.columns, expected)
    in_air = (expected < 80) | (expected > 143)
    np.testing.assert_array_equal(border.rows[in_air], 170)
    # In the heart's shadow there is no edge; across its own edge, the three columns of the mean share it out.
    assert border.sharpness == pytest.approx(2.24 / 3 * in_air.mean(), rel=0.02)


@pytest.mark.parametrize("steps", [5, 9, 11])
@pytest.mark.parametrize("side", SIDES)
def test_a_blurred_heart_border_is_less_sharp(side: Side, steps: int) -> None:
    image, lungs = chest(heart=steps)
    border = trace_heart(image, divide_lungs(lungs)[side], side)
    assert border is not None
    assert np.abs(border.columns - (80 if side == "image_left" else 143)).max() <= steps // 2
    assert border.sharpness == pytest.approx(2.24 / steps, rel=0.02)


@pytest.mark.parametrize(("factor", "offset"), [(0.5, 40), (1.5, 10), (1, -30)])
def test_exposure_and_contrast_change_nothing(factor: float, offset: int) -> None:
    image, lungs = chest(heart=5, diaphragm=5)
    image[::7, ::5] += 4
    other = np.rint(factor * image.astype(float) + offset).astype(np.uint8)
    for side, lung in divide_lungs(lungs).items():
        for trace in (trace_heart, trace_diaphragm):
            one, two = trace(image, lung, side), trace(other, lung, side)
            assert one is not None and two is not None
            assert two.sharpness == pytest.approx(one.sharpness, rel=0.01)


def test_a_mirrored_chest_has_mirrored_borders() -> None:
    image, lungs = chest(heart=5)
    image[100:140, 60:80] = 120  # something in one lung alone
    for trace in (trace_heart, trace_diaphragm):
        one = trace(image, divide_lungs(lungs)["image_left"], "image_left")
        other = trace(image[:, ::-1], divide_lungs(lungs[:, ::-1])["image_right"], "image_right")
        assert one is not None and other is not None
        # The ends of the diaphragm are rounded the other way, by one of 60 columns.
        assert other.sharpness == pytest.approx(one.sharpness, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_path_against_every_path(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores, allowed = generator.normal(size=(4, 7)), generator.random((4, 7)) < 0.8
    allowed[0, 3] = allowed[1, 3] = allowed[2, 3] = allowed[3, 3] = True

    def worth(path: tuple[int, ...]) -> float:
        moves = [abs(b - a) for a, b in itertools.pairwise(path)]
        if max(moves) > 2 or not all(allowed[row, column] for row, column in enumerate(path)):
            return -np.inf
        return float(sum(scores[row, column] for row, column in enumerate(path)) - 0.1 * sum(moves))

    best = max(itertools.product(range(7), repeat=4), key=worth)
    np.testing.assert_array_equal(strongest_path(scores, allowed), best)


def test_lungs_are_parted_at_the_gap_of_each_row_or_at_the_mean_column() -> None:
    lungs = np.zeros((3, 12), np.bool_)
    lungs[0, [0, 1, 2, 8, 9]] = True
    lungs[1, [1, 2, 3, 4, 5, 10]] = True
    lungs[2, 2:10] = True  # they touch: the mean column of all 19 marked pixels is 89 / 19
    parts = divide_lungs(lungs)
    np.testing.assert_array_equal(np.flatnonzero(parts["image_left"][0]), [0, 1, 2])
    np.testing.assert_array_equal(np.flatnonzero(parts["image_left"][1]), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(np.flatnonzero(parts["image_left"][2]), [2, 3, 4])
    np.testing.assert_array_equal(parts["image_right"], lungs & ~parts["image_left"])


def test_the_borders_that_tell_something_come_with_their_figures() -> None:
    image, lungs = chest(heart=9)
    borders = measure_borders(image, lungs)
    assert borders is not None
    found = {(border.border, border.side): border for border in borders}
    assert set(found) == {("heart", "image_right"), ("diaphragm", "image_left"), ("diaphragm", "image_right")}
    heart = found["heart", "image_right"]
    assert heart.sharpness == pytest.approx(2.24 / 9, rel=0.02)
    # A quarter of normals lies below 0.2488, half of them below 0.2867.
    assert heart.normals_less_sharp == pytest.approx(0.25 + 0.25 * (heart.sharpness - 0.2488) / 0.0379, abs=1e-6)
    assert found["diaphragm", "image_left"].normals_less_sharp == 1
    x, y = heart.path[0]
    assert abs(224 * x - 143.5) <= 4.5
    assert 224 * y == pytest.approx(85.5)


def test_every_border_shown_separates_the_labels() -> None:
    for figures in FIGURES.values():
        assert 0.5 < figures.auc_95[0] < figures.auc < figures.auc_95[1] < 1
        values, shares = zip(*figures.normals, strict=True)
        assert list(values) == sorted(set(values)) and (shares[0], shares[-1]) == (0, 1)


def test_nothing_is_measured_at_another_resolution_or_without_contrast() -> None:
    image, lungs = chest()
    assert measure_borders(image[::2, ::2], lungs[::2, ::2]) is None
    assert measure_borders(np.full_like(image, 90), lungs) == ()
    one_lung = lungs & (np.arange(224) < 112)
    found = measure_borders(image, one_lung | (lungs & (np.arange(224) > 199)))
    assert found is not None
    assert {(border.border, border.side) for border in found} == {("diaphragm", "image_left")}
