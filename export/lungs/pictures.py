"""Pictures of an evaluation of the lung segmenter."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

_ROWS = ("worst", "median", "best")
_COLUMNS = 4
_REFERENCE, _FOUND = "lime", "red"


def plot_outlines(
    radiographs: NDArray[np.uint8],
    references: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    dice: NDArray[np.float64],
    path: Path,
) -> None:
    """Draw the worst, the median and the best radiographs, each bare and with both outlines, into a PNG file.

    Parameters
    ----------
    radiographs, references, masks
        Shape ``[n, h, w]``; n is at least 1.
    dice
        Of each mask with its reference, shape ``[n]``.
    path
        Where to write.
    """
    figure = Figure(figsize=(2 * _COLUMNS * 1.6, len(_ROWS) * 1.75), layout="constrained")
    grid = figure.subplots(len(_ROWS), 2 * _COLUMNS, squeeze=False)
    for row, name, chosen in zip(grid, _ROWS, _choose(dice), strict=True):
        for bare, outlined, k in zip(row[::2], row[1::2], chosen, strict=True):
            _show(bare, radiographs[k], name)
            _show(outlined, radiographs[k], f"Dice {dice[k]:.3f}")
            for mask, colour in ((references[k], _REFERENCE), (masks[k], _FOUND)):
                if mask.any() and not mask.all():
                    outlined.contour(mask, [0.5], colors=[colour], linewidths=0.8)
    figure.suptitle("Lungs of held-out patients: reference green, segmenter red", fontsize=9)
    figure.savefig(path, dpi=100)


def _choose(dice: NDArray[np.float64]) -> Sequence[NDArray[np.int64]]:
    """Pick as many as there are columns from the bottom, the middle and the top; few images are picked repeatedly."""
    order = np.argsort(dice, kind="stable")
    n = len(order)
    starts = (0, (n - _COLUMNS) // 2, n - _COLUMNS)
    return [order[np.clip(np.arange(start, start + _COLUMNS), 0, n - 1)] for start in starts]


def _show(axes: Axes, radiograph: NDArray[np.uint8], title: str) -> None:
    axes.imshow(radiograph, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize=7, pad=2)
    axes.set_axis_off()
