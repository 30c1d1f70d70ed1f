"""The affected region as a line on the radiograph."""

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from api.imaging.geometry import to_pixels
from api.imaging.render.files import canvas_of, encode
from api.types import AffectedRegion, EncodedImage, ExplainOptions, OutlinedRegion, OverlayFormat, Radiograph

# Light blue on black: seen on bone and on lung, and unlike the colours of boxes and maps.
_LINE, _RIM = (80, 220, 255), (0, 0, 0)
_WIDTH = 1 / 160  # of the picture's shorter side


def outline_region(radiograph: Radiograph, region: AffectedRegion, options: ExplainOptions) -> OutlinedRegion:
    """Place the affected region on the radiograph as sent, and draw it."""
    width, height = radiograph.width, radiograph.height
    return OutlinedRegion(
        polygon=tuple((x * width, y * height) for x, y in region.outline),
        bounding_box=to_pixels(region.region, width, height),
        overlay=draw_outline(radiograph.pixels, region, options.overlay_size, options.overlay_format),
    )


def draw_outline(
    pixels: NDArray[np.uint8], region: AffectedRegion, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Draw the outline of a region on the radiograph, with a dark rim. Parameters are those of `draw_silhouette`."""
    canvas = canvas_of(pixels, longest_side)
    # Shares of the frame fall on edges between pixels, a pixel's number on its middle.
    line = [(x * canvas.width - 0.5, y * canvas.height - 0.5) for x, y in region.outline]
    width = max(1, round(min(canvas.size) * _WIDTH))
    draw = ImageDraw.Draw(canvas)
    draw.line(line, fill=_RIM, width=width + 2, joint="curve")
    draw.line(line, fill=_LINE, width=width, joint="curve")
    return encode(canvas, overlay_format)
