"""From a map's own resolution to that of a picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def keep_maxima(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Repeat the nearest value where a side grows, take the maximum where it shrinks: no strong pixel vanishes.

    What is shown are the map's pixels themselves, not a smoothed version of them.
    """
    return _along(_along(values, height, axis=0), width, axis=1)


def interpolate(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Interpolate bilinearly between the middles of the map's cells; beyond the outermost ones, their value goes on."""
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _along(values: NDArray[np.float32], size: int, axis: int) -> NDArray[np.float32]:
    available = values.shape[axis]
    places = np.arange(size)
    if size < available:
        return np.asarray(np.maximum.reduceat(values, places * available // size, axis=axis))
    return np.asarray(np.take(values, (2 * places + 1) * available // (2 * size), axis=axis))
