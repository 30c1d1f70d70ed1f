"""Insertion and deletion: what becomes of the answer as the important cells are shown, or hidden, first.

Petsiuk, Das and Saenko 2018 ("RISE", arXiv:1806.07421, section 4.2). A map that finds what the classifier looks at has
a large area under the insertion curve and a small one under the deletion curve. Hidden cells show a blurred copy, as
the gateway's occlusion does with `fill=blur`; both curves run between the answer to the radiograph and that to the
blur.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.explain.grid import WHOLE_FRAME
from api.explain.hiding import hide_each
from export.explanations.cells import CELLS, places_of, spread

Judge = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Curves:
    """Log-odds of PNEUMONIA as cells are shown (`insertion`) or hidden (`deletion`), shape ``[k]`` each."""

    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]


def trace(
    seen: NDArray[np.uint8],
    rankings: Mapping[str, NDArray[np.floating]],
    judge: Judge,
    levels: int,
    generator: np.random.Generator,
) -> Mapping[str, Curves]:
    """Trace both curves of several maps of one radiograph.

    Parameters
    ----------
    seen
        The radiograph as the classifier sees it, grey levels ``[h, w]``.
    rankings
        Maps ``[H, W]``, larger where more important.
    judge
        From grey levels ``[n, h, w]`` to log-odds ``[n]``.
    levels
        Steps of equal size between nothing and everything, at least 2.
    generator
        Orders cells that a map holds for equally important; the same order for all maps.

    Returns
    -------
    Curves of ``levels + 1`` points. Radiograph and blur are judged once for all of them.
    """
    blurred = hide_each(seen, (WHOLE_FRAME,), "blur")[0]
    ties = generator.permutation(CELLS * CELLS).reshape(CELLS, CELLS).astype(np.float64)
    copies = [seen, blurred]
    for values in rankings.values():
        places = places_of(values, ties)
        copies += between(blurred, seen, places, levels)
        copies += between(seen, blurred, places, levels)
    answers = judge(np.stack(copies))
    whole, hidden = answers[0], answers[1]
    inner = answers[2:].reshape(len(rankings), 2, levels - 1)
    return {
        name: Curves(np.array([hidden, *inserting, whole]), np.array([whole, *deleting, hidden]))
        for name, (inserting, deleting) in zip(rankings, inner, strict=True)
    }


def between(
    start: NDArray[np.uint8], end: NDArray[np.uint8], places: NDArray[np.int64], levels: int
) -> list[NDArray[np.uint8]]:
    """Make the ``levels - 1`` images between two ``[h, w]``; cells of the first places come first from the end."""
    counts = np.rint(np.arange(1, levels) / levels * places.size)
    return [np.where(spread(places < count, *start.shape), end, start) for count in counts]
