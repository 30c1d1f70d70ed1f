"""Evidence and lungs made by hand, on frames small enough to count."""

import numpy as np
from numpy.typing import NDArray

from api.explain.evidence import Evidence
from api.explain.whereabouts import Lungs, divide


def evidence(method: str, heat: NDArray[np.float32], region: NDArray[np.bool_] | None = None) -> Evidence:
    """Mark what is hot, unless a region is given."""
    return Evidence(method, heat, heat > 0 if region is None else region, heat)


def block(shape: tuple[int, int], rows: slice, columns: slice, level: float = 1.0) -> NDArray[np.float32]:
    """Nothing but one block of one level."""
    heat = np.zeros(shape, np.float32)
    heat[rows, columns] = level
    return heat


def marked(shape: tuple[int, int], rows: slice, columns: slice) -> NDArray[np.bool_]:
    """Mark one block."""
    return block(shape, rows, columns) > 0


def lungs_of(mask: NDArray[np.bool_]) -> Lungs:
    """Divide lungs that there are."""
    divided = divide(mask)
    assert divided is not None
    return divided


def two_lungs(size: int = 224) -> Lungs:
    """Two upright boxes: rows from 1/8 to 7/8, columns from 1/8 to 3/8 and from 5/8 to 7/8."""
    eighth = size // 8
    mask = np.zeros((size, size), np.bool_)
    mask[eighth : 7 * eighth, eighth : 3 * eighth] = mask[eighth : 7 * eighth, 5 * eighth : 7 * eighth] = True
    return lungs_of(mask)
