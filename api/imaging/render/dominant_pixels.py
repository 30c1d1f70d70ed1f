"""The dominant pixels of the study's gradient method."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.imaging.render.enlarge import keep_maxima
from api.imaging.render.files import canvas_of, encode
from api.types import EncodedImage, GradientFinding, OverlayFormat

# From deep orange to pale yellow, so that the brightest is the most important.
_LEAST_IMPORTANT, _MOST_IMPORTANT = np.array([204.0, 60.0, 0.0]), np.array([255.0, 255.0, 160.0])
_OPACITY = 0.75


def draw_gradient(
    pixels: NDArray[np.uint8], finding: GradientFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Colour the dominant pixels on the radiograph; the brightest is the most important.

    Parameters are those of `draw_silhouette`. A constant map shows the bare radiograph.
    """
    canvas = canvas_of(pixels, longest_side)
    return encode(_colour_shown(canvas, finding), overlay_format)


def _colour_shown(canvas: Image.Image, finding: GradientFinding) -> Image.Image:
    ranks = np.where(finding.shown, _ranks(finding), np.float32(-1))
    ranks = keep_maxima(ranks, canvas.height, canvas.width)
    shown = ranks >= 0
    colour = _LEAST_IMPORTANT + ranks[shown, np.newaxis] * (_MOST_IMPORTANT - _LEAST_IMPORTANT)
    drawn = np.array(canvas)
    drawn[shown] = np.rint(drawn[shown] * (1 - _OPACITY) + colour * _OPACITY)
    return Image.fromarray(drawn)


def _ranks(finding: GradientFinding) -> NDArray[np.float32]:
    """Place importance between the threshold (0) and the most important pixel (1)."""
    if finding.threshold >= 1:
        return np.ones_like(finding.importance)
    ranks: NDArray[np.float32] = np.clip((finding.importance - finding.threshold) / (1 - finding.threshold), 0, 1)
    return ranks
