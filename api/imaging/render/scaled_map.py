"""A map in colours whose meaning is the same on every radiograph."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.imaging.render.enlarge import interpolate, keep_maxima
from api.imaging.render.files import canvas_of, encode
from api.types import EncodedImage, MapFinding, OverlayFormat

# Every tenth of the colour map "magma" of matplotlib (`_cm_listed.py`, by N. J. Smith, S. van der Walt and E. Firing,
# CC0), red, green and blue: lightness grows evenly with the value, for the colour-blind as well. The page repeats it.
COLOURS = np.array(
    [
        (0, 0, 4),
        (20, 14, 54),
        (59, 15, 112),
        (100, 26, 128),
        (140, 41, 129),
        (183, 55, 121),
        (222, 73, 104),
        (247, 112, 92),
        (254, 159, 109),
        (254, 207, 146),
        (252, 253, 191),
    ],
    np.float32,
)
_STEPS = 1001  # shades that are told apart, more than 8-bit pixels can show
OPACITY = 0.75  # at the upper end of the scale; nought at zero, and in proportion between


def draw_map(
    pixels: NDArray[np.uint8], finding: MapFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Lay a map over the radiograph, in colours from 0 to the upper end of its scale; values above it look like it.

    Zero leaves the radiograph as it is. Parameters are those of `draw_silhouette`.

    Raises
    ------
    ValueError
        The map is constant or not finite, so that its picture would mean nothing.
    """
    if not finding.drawable:
        raise ValueError(f"The map must be drawable. Received: {finding.constant=}, {finding.non_finite=}")
    canvas = canvas_of(pixels, longest_side)
    enlarge = keep_maxima if finding.pixelwise else interpolate
    values = enlarge(finding.values, canvas.height, canvas.width)
    shares = np.clip(values / np.float32(finding.scale.upper), 0, 1)
    return encode(lay_over(canvas, shares), overlay_format)


def lay_over(canvas: Image.Image, shares: NDArray[np.float32], opacity: float = OPACITY) -> Image.Image:
    """Colour a canvas by shares of the scale, ``[rows, columns]``, 0 (as it is) to 1 (its upper end, at `opacity`)."""
    steps = np.linspace(0, 1, _STEPS, dtype=np.float32)
    opacities = (opacity * steps)[:, np.newaxis]
    ink, clarity = colours_of(steps) * opacities, 1 - opacities
    places = np.rint(shares * (_STEPS - 1)).astype(np.intp)
    return Image.fromarray(np.rint(np.asarray(canvas) * clarity[places] + ink[places]).astype(np.uint8))


def colours_of(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give red, green and blue, 0 to 255, of shares of the scale, 0 to 1: one axis more, of size 3."""
    anchors = np.linspace(0, 1, len(COLOURS))
    return np.stack([np.interp(shares, anchors, channel) for channel in COLOURS.T], axis=-1).astype(np.float32)
