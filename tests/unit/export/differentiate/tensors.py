"""Values to test with, and how far two of them are apart."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Array]


def relative_error(found: Array, expected: Array) -> float:
    """Tell the largest difference, as a share of the largest expected value (of 1, if all are tiny)."""
    largest = np.abs(expected).max(initial=0.0)
    return float(np.abs(found - expected).max(initial=0.0) / (largest if largest > 1e-8 else 1.0))


def apart(*places: float) -> Draw:
    """Draw values at least 0.05 away from each of these places, where an operator has a kink."""

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        values: Array = generator.standard_normal(shape) * 2
        for place in places:
            near = np.abs(values - place) < 0.05
            values = np.where(near, place + np.where(values < place, -0.1, 0.1), values)
        return values

    return draw


def distinct(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw values of which no two are closer than 0.1, so that small steps change no maximum; none is 0."""
    return 0.1 * generator.permutation(int(np.prod(shape))).reshape(shape).astype(np.float64) - 0.95


def positive(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw values from 0.5 to 2."""
    return generator.uniform(0.5, 2, shape)
