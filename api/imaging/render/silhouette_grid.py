"""The regions of a silhouette grid, the brightest among them, and the lungs."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.imaging.geometry import to_pixels
from api.imaging.render.box import draw_box
from api.imaging.render.enlarge import interpolate
from api.imaging.render.files import canvas_of, encode
from api.types import BorderSharpness, EncodedImage, OverlayFormat, SilhouetteGridFinding

_LINE = (128, 128, 128)
# Bluish green and sky blue: told apart by the colour-blind (Okabe and Ito 2008).
_LUNGS, _BORDER = (0, 158, 115), (86, 180, 233)
_MIDDLE = 0.5
_WIDTH = 1 / 200  # of the picture's shorter side


def draw_silhouette_grid(
    pixels: NDArray[np.uint8], finding: SilhouetteGridFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Draw the grid in thin grey lines, a bold box around the winner, and thin lines around lungs and along borders.

    Parameters are those of `draw_silhouette`.

    Raises
    ------
    ValueError
        No region won, so that there is nothing to draw.
    """
    if finding.region is None:
        raise ValueError("There must be a region that won. Received: none")
    canvas = canvas_of(pixels, longest_side)
    if finding.lungs is not None:
        canvas = _outline(canvas, finding.lungs)
    _draw_grid(canvas, finding)
    for border in finding.borders or ():
        _draw_border(canvas, border)
    draw_box(canvas, finding.region)
    return encode(canvas, overlay_format)


def _outline(canvas: Image.Image, lungs: NDArray[np.bool_]) -> Image.Image:
    """Colour the outermost pixels of the lungs."""
    inside = interpolate(lungs.astype(np.float32), canvas.height, canvas.width) >= _MIDDLE
    around = np.pad(inside, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    drawn = np.array(canvas)
    drawn[inside & ~inner] = _LUNGS
    return Image.fromarray(drawn)


def _draw_grid(canvas: Image.Image, finding: SilhouetteGridFinding) -> None:
    pen = ImageDraw.Draw(canvas)
    for region in finding.regions:
        box = to_pixels(region.cell, *canvas.size)
        pen.rectangle((box.x, box.y, box.x + box.width - 1, box.y + box.height - 1), outline=_LINE)


def _draw_border(canvas: Image.Image, border: BorderSharpness) -> None:
    line = [(x * canvas.width - 0.5, y * canvas.height - 0.5) for x, y in border.path]
    ImageDraw.Draw(canvas).line(line, _BORDER, max(1, round(min(canvas.size) * _WIDTH)))
