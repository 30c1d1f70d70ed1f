"""The grid of cells on which maps are ranked, hidden and compared.

Cells, not pixels, are shown and hidden: scattered single pixels make an image that no network was trained on, and its
answer would say more about that than about the map (Samek et al. 2017, doi:10.1109/TNNLS.2016.2599820, hide patches of
9 x 9 for the same reason). All maps, the random one too, are judged at this one resolution.
"""

import numpy as np
from numpy.typing import NDArray

CELLS = 28  # a side: 8 x 8 pixels of the data set's 224 x 224


def cell_means(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average a map ``[h, w]`` in each of the `CELLS` x `CELLS` cells; h and w must be at least `CELLS`."""
    rows, columns = (_cells_along(size) for size in values.shape)
    sums = np.zeros((CELLS, CELLS))
    np.add.at(sums, np.ix_(rows, columns), values.astype(np.float64))
    return np.asarray(sums / np.outer(np.bincount(rows, minlength=CELLS), np.bincount(columns, minlength=CELLS)))


def places_of(values: NDArray[np.floating], ties: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give each cell's place in the order of importance, 0 the most important one, shape ``[CELLS, CELLS]``.

    Parameters
    ----------
    values
        The map, ``[h, w]``.
    ties
        One number a cell, shape ``[CELLS, CELLS]``, all different: of equally important cells the lower one is first.
    """
    # A mean of equal values differs in its last digits from cell to cell, which must not order them.
    means = cell_means(values)
    rounded = np.round(means / max(float(np.abs(means).max()), np.finfo(np.float64).tiny), 9)
    order = np.lexsort((ties.ravel(), -rounded.ravel()))
    places = np.empty(CELLS * CELLS, np.int64)
    places[order] = np.arange(CELLS * CELLS)
    return places.reshape(CELLS, CELLS)


def spread(cells: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Give each pixel of an image ``[height, width]`` what its cell has."""
    return np.asarray(cells[np.ix_(_cells_along(height), _cells_along(width))])


def _cells_along(size: int) -> NDArray[np.int64]:
    return np.arange(size) * CELLS // size
