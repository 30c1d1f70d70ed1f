"""The silhouette rule on finer grids: which region is the brightest, of the frame or of the lungs alone.

Like the study's own rule this looks at brightness and at nothing else: it points at what is white, which may be
disease, heart or a poor exposure.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from api.explain.grid import GRIDS, Region, regions_of
from api.explain.regions import enclose
from api.explain.whereabouts import SMALLEST_LUNGS
from api.types import RegionScore, RelativeBox, Side, SilhouetteGridFinding

STUDIED = RelativeBox(0.0, 20 / 128, 1.0, 110 / 128)  # the rows that the study looks at, and all columns
SMALLEST_SHARE = 0.1  # of a region: the mask's rim alone, half of it rib or heart, must not decide
_MOSTLY = 0.5  # of a pixel
_DIGITS = 9  # rounding of sums in binary must not break ties


def rank_frame(image: NDArray[np.uint8], count: int) -> SilhouetteGridFinding:
    """Rank the regions of a grid on the rows that the study looks at.

    Parameters
    ----------
    image
        Grey levels of the whole frame, shape ``[h, w]``, 0 to 255.
    count
        4, 6, 8, 16 or 24.

    Returns
    -------
    The finding. A region's score is its share of the sum of grey levels in the grid; where all is black, all are equal.
    Where a grid's line divides a pixel, the pixel counts for each part by its area. Of equal regions the first wins,
    from top to bottom and in a row from left to right.
    """
    regions = regions_of(count, STUDIED)
    sums = np.array([(_cover(region.box, image.shape) * image).sum() for region in regions])
    total = sums.sum()
    scores = sums / total if total else np.full(count, 1 / count)
    return _rank([_scored(region, region.box, score) for region, score in zip(regions, scores, strict=True)])


def rank_lungs(image: NDArray[np.uint8], lungs: NDArray[np.bool_], count: int) -> SilhouetteGridFinding:
    """Rank the regions of a grid on the box around the lungs.

    Parameters
    ----------
    image
        Grey levels of the whole frame, shape ``[h, w]``, 0 to 255.
    lungs
        Where the lungs are, of the same shape.
    count
        As for `rank_frame`, as is the winner.

    Returns
    -------
    The finding. A region's score is the mean grey level, 0 to 255, over the lung in it, and its box encloses that lung;
    it has neither if lung takes up less than a tenth of it. If less than 1 % of the frame is lung, no lungs were found,
    and there is no region.
    """
    box = enclose(lungs)
    if box is None or lungs.mean() < SMALLEST_LUNGS:
        return SilhouetteGridFinding((), None, None, None, lungs=lungs)
    regions = regions_of(count, box)
    return _rank([_score_lung(region, image, lungs) for region in regions], lungs)


def _score_lung(region: Region, image: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> RegionScore:
    cover = _cover(region.box, image.shape)
    lung = cover * lungs
    if lung.sum() < SMALLEST_SHARE * cover.sum():
        return RegionScore(region.name, region.box, None, None, None)
    return _scored(region, enclose(lung >= _MOSTLY), float((lung * image).sum() / lung.sum()))


def _scored(region: Region, box: RelativeBox | None, score: float) -> RegionScore:
    return RegionScore(region.name, region.box, box, round(float(score), _DIGITS), None)


def _cover(box: RelativeBox, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Say how much of each pixel of a frame ``[h, w]`` lies in a box, 0 to 1."""
    height, width = shape
    return np.outer(_cover_side(box.top, box.bottom, height), _cover_side(box.left, box.right, width))


def _cover_side(start: float, end: float, size: int) -> NDArray[np.float64]:
    pixels = np.arange(size)
    covered = np.minimum(end * size, pixels + 1) - np.maximum(start * size, pixels)
    return np.asarray(np.round(covered.clip(0, 1), _DIGITS))


def _rank(scored: Sequence[RegionScore], lungs: NDArray[np.bool_] | None = None) -> SilhouetteGridFinding:
    known = [(region.score, place) for place, region in enumerate(scored) if region.score is not None]
    order = [place for _, place in sorted(known, key=lambda pair: (-pair[0], pair[1]))]
    ranks = {place: rank for rank, place in enumerate(order, start=1)}
    regions = tuple(replace(region, rank=ranks.get(place)) for place, region in enumerate(scored))
    if not order:
        return SilhouetteGridFinding(regions, None, None, None, lungs)
    half, quadrant = _whereabouts(order[0], len(regions))
    return SilhouetteGridFinding(regions, regions[order[0]], half, quadrant, lungs)


def _whereabouts(place: int, count: int) -> tuple[Side, str | None]:
    """Name the half and the quadrant of the grid in which a region lies; none in the middle one of three rows."""
    rows, columns = GRIDS[count]
    row, column = divmod(place, columns)
    half: Side = "image_left" if 2 * column < columns else "image_right"
    if 2 * row < rows < 2 * (row + 1):
        return half, None
    zone = "upper" if 2 * row < rows else "lower"
    return half, half.replace("image_", f"image_{zone}_")
