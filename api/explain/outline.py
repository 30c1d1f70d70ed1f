"""From marked points to the line around their largest part."""

from itertools import pairwise

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray

MAX_POINTS = 100
_TOLERANCE = 0.4  # points of the map: enough for the steps of a slanting edge, too little to move a straight one


def largest_outline(marked: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Draw the line around the largest connected part of a map ``[h, w]``; None if nothing is marked.

    Returns
    -------
    Shape ``[n, 2]``, x and y in points of the map, where point (0, 0) covers 0 to 1; at most 100 of them, the last one
    equal to the first. Corners are cut by half a point. Holes are not left out.
    """
    # The rim of unmarked points closes lines at the edge of the map.
    padded = np.pad(marked, 1).astype(np.float64)
    lines = contour_generator(z=padded).lines(0.5)
    if not lines:
        return None
    return simplify(max((np.asarray(line) for line in lines), key=_area) - 0.5)


def fill(outline: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the points of a map of the given shape whose middles lie inside a closed line ``[n, 2]`` (even-odd rule)."""
    rows, columns = (np.arange(size) + 0.5 for size in shape)
    inside = np.zeros(shape, np.bool_)
    for (x, y), (next_x, next_y) in pairwise(outline):
        crossed = (y > rows) != (next_y > rows)
        if crossed.any():
            at = x + (rows[crossed] - y) * (next_x - x) / (next_y - y)
            inside[crossed] ^= columns < at[:, np.newaxis]
    return inside


def simplify(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out points of a closed line ``[n, 2]`` that lie nearly on the line between others, until 100 are left.

    Douglas and Peucker 1973, Cartographica 10:112; the first point stays.
    """
    tolerance = _TOLERANCE
    # A closed line has no ends: it is cut in two at the point farthest from the first.
    farthest = int(np.hypot(*(line - line[0]).T).argmax())
    while True:
        kept = [*_thin(line[: farthest + 1], tolerance)[:-1], *_thin(line[farthest:], tolerance)]
        if len(kept) <= MAX_POINTS:
            return np.array(kept)
        tolerance *= 1.5


def _thin(line: NDArray[np.float64], tolerance: float) -> list[NDArray[np.float64]]:
    """Keep both ends of an open line, and what is farther than the tolerance from the straight line between them."""
    start, end = line[0], line[-1]
    along = end - start
    offsets = line - start
    distances = np.abs(along[0] * offsets[:, 1] - along[1] * offsets[:, 0]) / max(float(np.hypot(*along)), 1e-9)
    farthest = int(distances.argmax())
    if distances[farthest] <= tolerance:
        return [start, end]
    return [*_thin(line[: farthest + 1], tolerance)[:-1], *_thin(line[farthest:], tolerance)]


def _area(line: NDArray[np.float64]) -> float:
    """Shoelace formula."""
    x, y = line.T
    return abs(float(x[:-1] @ y[1:] - x[1:] @ y[:-1])) / 2
