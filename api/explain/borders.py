"""How sharp the borders of heart and diaphragm are, on each side: the silhouette sign is a border that is lost.

Air beside heart or diaphragm draws a sharp edge on a radiograph; fluid in the lung beside them wipes it out (Felson and
Felson 1950, "Localization of intrathoracic lesions by means of the postero-anterior roentgenogram: the silhouette
sign", Radiology 55:363-374). A border is traced where the step from dark to bright stands out most from the noise
around it, and is the sharper, the steeper the grey level rises there, relative to the contrast within the lung.
Exposure and contrast of the whole film, which move grey levels by a factor and an offset, change neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.explain.border_figures import FIGURES, BorderFigures
from api.types import BorderName, BorderSharpness, Side

RESOLUTION = 224  # pixels a side: sharpness depends on it, so it is measured at no other
_REACH = 6  # pixels compared on either side of a step
_NEIGHBOURS = 2  # lines averaged above and below
_BEND = 2  # pixels that a border may move from line to line
_STIFFNESS = 0.1  # what each such pixel costs, in standard deviations
_NOISE_FLOOR = 0.02  # of the lung's contrast
_BAND = 8  # pixels around the mask's lower edge in which the diaphragm is looked for
_LEAST_LINES, _LEAST_WIDTH = 12, 8  # pixels
_CERTAINLY_NOT = -1e3

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TracedBorder:
    """A border: `columns` and `rows` of its points, pixels, and its `sharpness`.

    That is the share of the lung's contrast by which the grey level rises over 1 % of the frame, mean over the border.
    """

    rows: Places
    columns: Places
    sharpness: float


def measure_borders(image: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> tuple[BorderSharpness, ...] | None:
    """Measure those borders whose sharpness was found to tell something (`api.explain.border_figures`).

    Parameters
    ----------
    image
        Grey levels of the whole frame, shape ``[h, w]``, 0 to 255.
    lungs
        Where the lungs are, of the same shape.

    Returns
    -------
    The borders that could be traced; None at another resolution than 224 x 224, for which there are no figures.
    """
    if image.shape != (RESOLUTION, RESOLUTION):
        return None
    sides = divide_lungs(lungs)
    traced = {(border, side): TRACERS[border](image, sides[side], side) for border, side in FIGURES}
    return tuple(_place(*key, border) for key, border in traced.items() if border is not None)


def _place(border: BorderName, side: Side, traced: TracedBorder) -> BorderSharpness:
    figures = FIGURES[border, side]
    points = zip(traced.columns, traced.rows, strict=True)
    return BorderSharpness(
        border=border,
        side=side,
        sharpness=traced.sharpness,
        normals_less_sharp=_share_below(traced.sharpness, figures),
        auc=figures.auc,
        auc_95=figures.auc_95,
        path=tuple((float(x + 0.5) / RESOLUTION, float(y + 0.5) / RESOLUTION) for x, y in points),
    )


def _share_below(sharpness: float, figures: BorderFigures) -> float:
    values, shares = zip(*figures.normals, strict=True)
    return float(np.interp(sharpness, values, shares))


def divide_lungs(lungs: NDArray[np.bool_]) -> dict[Side, NDArray[np.bool_]]:
    """Part the lungs ``[h, w]`` in each row at its widest gap, or where there is none, at their mean column."""
    height, width = lungs.shape
    left = np.zeros_like(lungs)
    if lungs.any():
        middle = np.average(np.arange(width), weights=lungs.sum(axis=0))
        for row in range(height):
            left[row] = lungs[row] & (np.arange(width) < _gap(lungs[row], middle))
    return {"image_left": left, "image_right": lungs & ~left}


def _gap(row: NDArray[np.bool_], otherwise: float) -> float:
    columns = np.flatnonzero(row)
    gaps = np.diff(columns)
    if not len(gaps) or gaps.max() <= _NEIGHBOURS:
        return otherwise
    widest = int(gaps.argmax())
    return float(columns[widest] + columns[widest + 1]) / 2


def trace_heart(image: NDArray[np.uint8], lung: NDArray[np.bool_], side: Side) -> TracedBorder | None:
    """Trace the border of the heart inside one lung, which includes the lung behind the heart.

    Parameters
    ----------
    image
        Grey levels, shape ``[224, 224]``, 0 to 255.
    lung
        One lung, of the same shape.
    side
        On which side of the image it lies: the heart is looked for towards the other.

    Returns
    -------
    The border between 40 and 90 % of the way from the lung's top to the diaphragm; None if the lung is too small.
    """
    if side == "image_left":
        return _trace(image, lung, _heart_band(lung))
    mirrored = _trace(image[:, ::-1], lung[:, ::-1], _heart_band(lung[:, ::-1]))
    if mirrored is None:
        return None
    return TracedBorder(mirrored.rows, image.shape[1] - 1 - mirrored.columns, mirrored.sharpness)


def trace_diaphragm(image: NDArray[np.uint8], lung: NDArray[np.bool_], side: Side) -> TracedBorder | None:
    """Trace the diaphragm along the lower edge of one lung; parameters are those of `trace_heart`.

    Returns
    -------
    The border without the outermost 15 % and the innermost 10 % of the lung's width; None if the lung is too small.
    """
    outer, inner = (0.15, 0.1) if side == "image_left" else (0.1, 0.15)
    turned = _trace(image.T, lung.T, _diaphragm_band(lung.T, outer, inner))
    return None if turned is None else TracedBorder(turned.columns, turned.rows, turned.sharpness)


TRACERS: Mapping[BorderName, Callable[[NDArray[np.uint8], NDArray[np.bool_], Side], TracedBorder | None]] = {
    "heart": trace_heart,
    "diaphragm": trace_diaphragm,
}

_Band = tuple[Places, NDArray[np.bool_]] | None


def _heart_band(lung: NDArray[np.bool_]) -> _Band:
    """Give rows and, in each, where the border may be: not in the outer 30 % of the lung, up to 3 pixels beyond it."""
    across = np.flatnonzero(lung.any(axis=0))
    if len(across) < 2 * _LEAST_WIDTH:
        return None
    inner = across[len(across) // 2 :]
    top = int(np.flatnonzero(lung.any(axis=1))[0])
    height = float(np.median([np.flatnonzero(lung[:, column])[-1] for column in inner if lung[:, column].any()])) - top
    rows = np.arange(int(top + 0.4 * height), int(top + 0.9 * height))
    allowed = np.zeros((len(rows), lung.shape[1]), np.bool_)
    for line, row in zip(allowed, rows, strict=True):
        columns = np.flatnonzero(lung[row])
        if len(columns) >= _LEAST_WIDTH:
            line[int(columns[0] + 0.3 * (columns[-1] - columns[0])) : columns[-1] + 4] = True
    return rows, allowed


def _diaphragm_band(lung: NDArray[np.bool_], outer: float, inner: float) -> _Band:
    """Give the same for a lung whose rows are the image's columns, so that down is to the right."""
    lines = np.flatnonzero(lung.sum(axis=1) > _NEIGHBOURS * 2 + 1)
    if len(lines) < 2 * _LEAST_LINES:
        return None
    width = lines[-1] - lines[0]
    rows = np.arange(int(lines[0] + outer * width), int(lines[-1] - inner * width))
    allowed = np.zeros((len(rows), lung.shape[1]), np.bool_)
    for line, row in zip(allowed, rows, strict=True):
        if lung[row].any():
            edge = int(np.flatnonzero(lung[row])[-1])
            line[max(0, edge - _BAND) : edge + _BAND + 1] = True
    return rows, allowed


def _trace(image: NDArray[np.uint8], lung: NDArray[np.bool_], band: _Band) -> TracedBorder | None:
    if band is None or len(band[0]) < _LEAST_LINES:
        return None
    rows, allowed = band
    grey = image.astype(np.float64)
    contrast = float(np.subtract(*np.percentile(image[lung], [95, 5])))
    if contrast <= 0:
        return None
    strip = _lines_around(grey, rows)
    path = strongest_path(_steps_over_noise(strip, _NOISE_FLOOR * contrast), allowed)
    return TracedBorder(rows, path, _slope(grey, rows, path) / contrast * image.shape[1] / 100)


def _lines_around(grey: NDArray[np.float64], rows: Places) -> NDArray[np.float64]:
    """Give each row with its neighbours, shape ``[n, 5, w]``; beyond the frame its last row is repeated."""
    offsets = np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
    return np.asarray(grey[(rows[:, np.newaxis] + offsets).clip(0, len(grey) - 1)])


def _steps_over_noise(strip: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Compare the pixels before each column with those from it on, shape ``[n, w]``: step over standard deviation."""
    mean, square = (_window_means(values) for values in (strip, np.square(strip)))
    variance = (square - np.square(mean)).clip(0)
    steps = np.zeros((len(strip), strip.shape[2]))
    noise = np.sqrt((variance[:, :-_REACH] + variance[:, _REACH:]) / 2 + floor**2)
    steps[:, _REACH : _REACH + noise.shape[1]] = (mean[:, _REACH:] - mean[:, :-_REACH]) / noise
    return steps


def _window_means(strip: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.cumsum(np.pad(strip.mean(axis=1), ((0, 0), (1, 0))), axis=1)
    return np.asarray((sums[:, _REACH:] - sums[:, :-_REACH]) / _REACH)


def strongest_path(scores: NDArray[np.float64], allowed: NDArray[np.bool_]) -> Places:
    """Choose a column in each row so that the sum of scores is the largest, moving at most 2 columns from row to row.

    By dynamic programming (Bellman 1957); each column moved costs 0.1.

    Parameters
    ----------
    scores
        Shape ``[n, w]``.
    allowed
        Which places may be chosen, of the same shape; in a row without any, the path goes straight on.

    Returns
    -------
    Columns, shape ``[n]``.
    """
    scores = np.where(allowed, scores, _CERTAINLY_NOT)
    offsets = np.arange(-_BEND, _BEND + 1)
    sources = np.arange(scores.shape[1]) + offsets[:, np.newaxis]
    cost = np.where((sources >= 0) & (sources < scores.shape[1]), _STIFFNESS * np.abs(offsets)[:, np.newaxis], np.inf)
    sources = sources.clip(0, scores.shape[1] - 1)
    best, came_from = scores[0], []
    for row in scores[1:]:
        reached = best[sources] - cost
        choice = reached.argmax(axis=0)
        came_from.append(np.take_along_axis(sources, choice[np.newaxis], axis=0)[0])
        best = reached.max(axis=0) + row
    path = [int(best.argmax())]
    for sources_of_row in reversed(came_from):
        path.append(int(sources_of_row[path[-1]]))
    return np.array(path[::-1], np.intp)


def _slope(grey: NDArray[np.float64], rows: Places, path: Places) -> float:
    """Mean rise of the grey level per pixel across the border, over three pixels and three lines."""
    lines = (rows[:, np.newaxis] + np.arange(-1, 2)).clip(0, len(grey) - 1)
    after, before = (np.clip(path + shift, 0, grey.shape[1] - 1)[:, np.newaxis] for shift in (1, -2))
    return float((grey[lines, after] - grey[lines, before]).mean() / 3)
