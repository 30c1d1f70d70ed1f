"""Regions of the radiograph, coloured by what hiding them takes away."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.imaging.render.box import draw_box
from api.imaging.render.files import canvas_of, encode
from api.imaging.render.scaled_map import lay_over
from api.types import EncodedImage, OcclusionFinding, OverlayFormat, RegionDrop, RelativeBox

_LINE = (128, 128, 128)
REGION_OPACITY = 0.45  # regions cover whole lungs, which must stay legible under them


def draw_drops(
    pixels: NDArray[np.uint8], finding: OcclusionFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Colour each region by its drop, from 0 to the upper end of the scale, and draw a box around the strongest.

    Drops above the scale look like its upper end; a region whose drop is negative stays as it is, as it is no evidence
    for PNEUMONIA. Thin lines part the regions. Parameters are those of `draw_silhouette`.

    Raises
    ------
    ValueError
        Hiding lowers the log-odds nowhere, so that there is nothing to draw.
    """
    if finding.strongest is None:
        raise ValueError("There must be a region that lowers the log-odds. Received: none")
    canvas = canvas_of(pixels, longest_side)
    canvas = lay_over(canvas, _shares(canvas, finding), REGION_OPACITY)
    _draw_lines(canvas, finding.drawn)
    draw_box(canvas, finding.strongest.region)
    return encode(canvas, overlay_format)


def _shares(canvas: Image.Image, finding: OcclusionFinding) -> NDArray[np.float32]:
    shares = np.zeros((canvas.height, canvas.width), np.float32)
    for drop in finding.drawn:
        left, top, right, bottom = _edges(drop.region, canvas)
        shares[top:bottom, left:right] = np.clip(drop.drop / finding.scale.upper, 0, 1)
    return shares


def _draw_lines(canvas: Image.Image, drops: Sequence[RegionDrop]) -> None:
    pen = ImageDraw.Draw(canvas)
    edges = [_edges(drop.region, canvas) for drop in drops]
    for left in {left for left, *_ in edges} - {0}:
        pen.line((left, 0, left, canvas.height), _LINE)
    for top in {top for _, top, *_ in edges} - {0}:
        pen.line((0, top, canvas.width, top), _LINE)


def _edges(region: RelativeBox, canvas: Image.Image) -> tuple[int, int, int, int]:
    # To the nearest pixel, not outwards: neighbours must not cover each other.
    across, down = (region.left, region.right), (region.top, region.bottom)
    (left, right), (top, bottom) = (
        [round(share * size) for share in shares] for shares, size in ((across, canvas.width), (down, canvas.height))
    )
    return left, top, right, bottom
