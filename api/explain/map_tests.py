"""Putting a method's map to the test with further inferences: stability, deletion and insertion.

Deletion and insertion are those of Petsiuk, Das and Saenko 2018 ("RISE", arXiv:1806.07421, section 4.2): the most
important pixels are hidden first, or shown first on a copy in which all are hidden, and the score is the area under the
probability of the class over the share of pixels hidden or shown. A map that finds what the classifier looks at
has a low deletion and a high insertion score. Here both hide by blurring, in 8 steps instead of one a row.
"""

from collections.abc import Generator, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.explain.affected_region import smooth
from api.explain.evidence import Evidence, evidence_of, resize
from api.explain.grid import WHOLE_FRAME
from api.explain.hiding import hide_each
from api.types import Answer, Explainer, MapTests, Question

SHIFT = 1 / 56  # of each side: 4 points of the common frame, so that maps can be moved back without a remainder
STEPS = 8
_FURTHEST = 2 * SHIFT  # beyond, another part of the chest would be looked at
_CLASSIFIER, _LOGITS = "classifier", "logits"
Level = TypeVar("Level", bound=np.generic)
Moved: TypeAlias = tuple[float, float]


def examine(
    evidence: Evidence, seen: NDArray[np.uint8], again: Explainer | None, moved: Moved = (SHIFT, SHIFT)
) -> Generator[Question, Answer, MapTests]:
    """Ask what the tests of one map need.

    Parameters
    ----------
    evidence
        What the method says of the radiograph.
    seen
        The radiograph as the classifier sees it, ``[rows, columns]``.
    again
        The same method on the radiograph shifted by `shift`; None if stability cannot be measured.
    moved
        By how much it was shifted, of its height and width.
    """
    stability = None
    if again is not None:
        after = evidence_of(evidence.method, (yield from again))
        stability = 0.0 if after is None else similarity(evidence.heat, after.heat, moved)
    deletion, insertion = yield from _delete_and_insert(evidence, seen)
    return MapTests(stability, deletion, insertion)


def shift(pixels: NDArray[Level]) -> NDArray[Level]:
    """Move an image ``[rows, columns]`` right and down by 1/56 of each side, repeating its first row and column.

    By whole pixels, and by one at least.
    """
    rows, columns = pixels.shape
    return np.pad(pixels, ((_pixels(rows), 0), (_pixels(columns), 0)), mode="edge")[:rows, :columns]


def displacement(shape: tuple[int, ...]) -> Moved | None:
    """Give by how much `shift` moves an image, of its height and width; None if one pixel is too much for its size."""
    down, right = (_pixels(side) / side for side in shape)
    return (down, right) if max(down, right) <= _FURTHEST else None


def similarity(before: NDArray[np.float32], after: NDArray[np.float32], moved: Moved = (SHIFT, SHIFT)) -> float:
    """Correlate a map with that of the shifted radiograph, moved back by as much; both ``[h, w]`` and not constant.

    Pearson's coefficient, -1 to 1, of the maps smoothed as for the affected region: a reader looks at places, and
    single pixels of a gradient change with every shift.
    """
    rows, columns = before.shape
    down, right = round(rows * moved[0]), round(columns * moved[1])
    first, second = smooth(before[: rows - down, : columns - right]), smooth(after[down:, right:])
    if min(first.std(), second.std()) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(first.ravel(), second.ravel())[0, 1], -1, 1))


def _pixels(side: int) -> int:
    return max(1, round(side * SHIFT))


def _delete_and_insert(evidence: Evidence, seen: NDArray[np.uint8]) -> Generator[Question, Answer, tuple[float, float]]:
    order = rank(evidence.ranking, seen.shape)
    hidden = hide_each(seen, (WHOLE_FRAME,), "blur")[0]
    # Both ways have the same ends, which are asked about once.
    deletion, insertion = steps_between(seen, hidden, order), steps_between(hidden, seen, order)
    answer = yield Question(_CLASSIFIER, (seen, *deletion, hidden, *insertion), (_LOGITS,))
    first, second = np.split(_probabilities(answer), [STEPS])
    return area_under(np.append(first, second[0])), area_under(np.append(second, first[0]))


def rank(ranking: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Order the pixels of an image of the given shape, by their place in reading order, the most important one first.

    Of pixels that are as important, the one with more importance around it comes first.
    """
    around = smooth(ranking)
    values, surroundings = (resize(each, shape).ravel() for each in (ranking, around))
    return np.lexsort((-surroundings, -values))


def steps_between(
    start: NDArray[np.uint8], end: NDArray[np.uint8], order: NDArray[np.intp]
) -> Sequence[NDArray[np.uint8]]:
    """Make the 7 images between two of one shape: 1/8, 2/8 and so on of the pixels, in order, are those of the end."""
    steps = []
    for step in range(1, STEPS):
        image = start.copy()
        changed = order[: round(step * order.size / STEPS)]
        image.flat[changed] = end.flat[changed]
        steps.append(image)
    return steps


def area_under(probabilities: NDArray[np.floating]) -> float:
    """Give the area under equally spaced values over a base of 1: their mean, in which the ends count half."""
    return float(((probabilities[:-1] + probabilities[1:]) / 2).mean())


def _probabilities(answer: Answer) -> NDArray[np.float64]:
    logits = np.asarray(answer[_LOGITS], np.float64)
    return np.asarray(np.exp(-np.logaddexp(0, logits[:, 0] - logits[:, 1])))
