"""Insertion and deletion against a linear model, whose curves can be written down."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.grid import WHOLE_FRAME
from api.explain.hiding import hide_each
from api.explain.map_tests import area_under
from export.explanations.cells import CELLS, cell_means, places_of, spread
from export.explanations.contenders import baselines
from export.explanations.curves import between, trace

COUNT = CELLS * CELLS
TIES = np.arange(COUNT, dtype=np.float64).reshape(CELLS, CELLS)
SEEN = np.random.default_rng(0).integers(0, 256, (56, 56), dtype=np.uint8)
BLURRED = hide_each(SEEN, (WHOLE_FRAME,), "blur")[0]
WEIGHTS = np.random.default_rng(1).normal(size=(56, 56))


def linear(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray((images * WEIGHTS).sum(axis=(1, 2)) / 1000)


def evidence_of_cells() -> NDArray[np.float64]:
    """What each cell adds to the log-odds when it is shown, added up pixel by pixel."""
    added = np.zeros((CELLS, CELLS))
    for row, column in np.ndindex(56, 56):
        more = float(SEEN[row, column]) - float(BLURRED[row, column])
        added[row // 2, column // 2] += more * WEIGHTS[row, column] / 1000
    return added


def test_cell_means_where_cells_are_and_are_not_of_one_size() -> None:
    values = np.arange(56 * 56, dtype=np.float64).reshape(56, 56)
    assert cell_means(values)[3, 5] == values[6:8, 10:12].mean()
    uneven = np.random.default_rng(2).random((29, 41))
    rows, columns = np.arange(29) * 28 // 29, np.arange(41) * 28 // 41
    expected = uneven[np.ix_(rows == 7, columns == 11)].mean()
    assert cell_means(uneven)[7, 11] == pytest.approx(expected, rel=1e-12)


def test_cells_are_ordered_by_their_means_and_ties_by_the_given_order() -> None:
    values = np.zeros((CELLS, CELLS))
    values[4, 4], values[9, 9] = 2, 1
    places = places_of(values, TIES)
    assert (places[4, 4], places[9, 9]) == (0, 1)
    assert places[0, 0] == 2 and places[27, 27] == COUNT - 1
    assert places_of(np.zeros((100, 100)) + 0.1, -TIES)[27, 27] == 0
    assert sorted(places.ravel()) == list(range(COUNT))


def test_pixels_take_after_their_cells() -> None:
    marked = np.zeros((CELLS, CELLS), np.bool_)
    marked[1, 2] = True
    rows, columns = np.nonzero(spread(marked, 56, 84))
    assert (set(rows.tolist()), set(columns.tolist())) == ({2, 3}, {6, 7, 8})


def test_images_between_two_change_cell_by_cell() -> None:
    start, end = np.zeros((CELLS, CELLS), np.uint8), np.full((CELLS, CELLS), 9, np.uint8)
    places = np.arange(COUNT).reshape(CELLS, CELLS)
    first, second, third = between(start, end, places, 4)
    assert [int((image == 9).sum()) for image in (first, second, third)] == [196, 392, 588]
    assert (first[:7] == 9).all() and (first[7:] == 0).all()


def test_curves_of_a_linear_model() -> None:
    added = evidence_of_cells()
    maps = {"ideal": added, "worst": -added}
    curves = trace(SEEN, maps, linear, 8, np.random.default_rng(0))
    hidden, whole = linear(np.stack([BLURRED, SEEN]))
    for name, sign in (("ideal", -1), ("worst", 1)):
        ordered = np.sort(sign * added.ravel()) * sign
        revealed = np.array([ordered[: COUNT * step // 8].sum() for step in range(9)])
        np.testing.assert_allclose(curves[name].insertion, hidden + revealed, atol=1e-9)
        np.testing.assert_allclose(curves[name].deletion, whole - revealed, atol=1e-9)


def test_a_random_map_of_a_linear_model_comes_half_way() -> None:
    generator = np.random.default_rng(3)
    hidden, whole = linear(np.stack([BLURRED, SEEN]))
    rankings = {str(draw): baselines(generator)["random"].ranking for draw in range(200)}
    curves = trace(SEEN, rankings, linear, 8, generator)
    areas = np.array([[area_under(each.insertion), area_under(each.deletion)] for each in curves.values()])
    error = areas.std(axis=0) / np.sqrt(len(areas))
    assert (error < 0.1 * abs(areas.max() - areas.min())).all()
    assert (abs(areas.mean(axis=0) - (hidden + whole) / 2) < 3.5 * error).all()
    # What one curve gains, the other loses.
    np.testing.assert_allclose(areas.sum(axis=1), hidden + whole, atol=1e-9)


def test_a_map_that_says_nothing_comes_half_way_too() -> None:
    hidden, whole = linear(np.stack([BLURRED, SEEN]))
    areas = [
        area_under(trace(SEEN, {"flat": np.ones((8, 8)).repeat(7, 0).repeat(7, 1)}, linear, 8, g)["flat"].insertion)
        for g in np.random.default_rng(4).spawn(200)
    ]
    assert abs(np.mean(areas) - (hidden + whole) / 2) < 3.5 * np.std(areas) / np.sqrt(200)
