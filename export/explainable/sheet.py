"""A sheet of maps on radiographs, for the model card."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_COLOURS = "magma"  # as the gateway draws them
_INCH = 2.2


def draw_sheet(
    images: NDArray[np.uint8],
    titles: list[str],
    values: Mapping[str, NDArray[np.float32]],
    scales: Mapping[str, float],
    file: Path,
) -> None:
    """Draw each radiograph beside its maps, a row for each, on the published colour scales.

    Parameters
    ----------
    images
        Grey levels, uint8 ``[n, h, w, 1]``.
    titles
        One for each radiograph.
    values
        Absolute values of each map, ``[n, h, w]``.
    scales
        Upper end of each map's colours.
    file
        Where the PNG goes.
    """
    figure = Figure(figsize=(_INCH * (1 + len(values)), _INCH * len(images) + 0.6), layout="constrained")
    axes = figure.subplots(len(images), 1 + len(values), squeeze=False)
    for row, image in enumerate(images):
        axes[row, 0].imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
        axes[row, 0].set_title(titles[row], fontsize=8)
        for column, (name, maps) in enumerate(values.items(), start=1):
            drawn = axes[row, column].imshow(maps[row], cmap=_COLOURS, vmin=0, vmax=scales[name])
            if row == 0:
                axes[row, column].set_title(name, fontsize=8)
            if row == len(images) - 1:
                figure.colorbar(drawn, ax=axes[row, column], location="bottom", shrink=0.9).ax.tick_params(labelsize=6)
    for each in axes.flat:
        each.set_axis_off()
    figure.savefig(file, dpi=100)
