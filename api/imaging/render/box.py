"""A region as a box on the radiograph."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.imaging.geometry import to_pixels
from api.imaging.render.files import canvas_of, encode
from api.types import EncodedImage, OverlayFormat, RelativeBox, SilhouetteFinding

_COLOUR = (255, 176, 0)
_BORDER = 2 / 128  # of the frame, as in the study


def draw_silhouette(
    pixels: NDArray[np.uint8], finding: SilhouetteFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Draw the affected quadrant as a box on the radiograph.

    Parameters
    ----------
    pixels
        Grey levels, shape ``[rows, columns]``, 0 to 255.
    finding
        What to show.
    longest_side
        Longest side of the overlay in pixels.
    overlay_format
        File format of the overlay.
    """
    canvas = canvas_of(pixels, longest_side)
    draw_box(canvas, finding.region)
    return encode(canvas, overlay_format)


def draw_box(canvas: Image.Image, region: RelativeBox) -> None:
    """Draw the border of a region, inside it."""
    box = to_pixels(region, *canvas.size)
    border = max(1, round(min(canvas.size) * _BORDER))
    corners = (box.x, box.y, box.x + box.width - 1, box.y + box.height - 1)
    ImageDraw.Draw(canvas).rectangle(corners, outline=_COLOUR, width=border)
