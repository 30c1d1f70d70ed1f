"""From findings to pictures: overlays drawn on the radiograph, and heatmaps as files."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.imaging.geometry import fit, to_pixels
from api.types import EncodedImage, GradientFinding, OverlayFormat, RelativeBox, SilhouetteFinding

# PNG level 1 is about five times faster than the default and a tenth larger; overlays are not kept.
_ENCODER_OPTIONS = {"png": {"compress_level": 1}, "jpeg": {"quality": 90}, "webp": {"quality": 90, "method": 0}}
_BOX_COLOUR = (255, 176, 0)
_BOX_BORDER = 2 / 128  # of the frame, as in the study
# Dominant pixels run from deep orange to pale yellow, so that the brightest is the most important.
_LEAST_IMPORTANT, _MOST_IMPORTANT = np.array([204.0, 60.0, 0.0]), np.array([255.0, 255.0, 160.0])
_OPACITY = 0.75


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
    canvas = _canvas(pixels, longest_side)
    _draw_box(canvas, finding.region)
    return _encode(canvas, overlay_format)


def draw_gradient(
    pixels: NDArray[np.uint8], finding: GradientFinding, longest_side: int, overlay_format: OverlayFormat
) -> EncodedImage:
    """Colour the dominant pixels on the radiograph; the brightest is the most important.

    Parameters are those of `draw_silhouette`. A constant map shows the bare radiograph.
    """
    canvas = _canvas(pixels, longest_side)
    return _encode(_colour_shown(canvas, finding), overlay_format)


def encode_heatmap(finding: GradientFinding) -> EncodedImage:
    """Store a map losslessly as an 8-bit grey PNG at its own resolution, with the raw values of 0 and 255."""
    grey = np.rint(finding.importance * 255).astype(np.uint8)
    picture = _encode(Image.fromarray(grey), "png")
    return EncodedImage(picture.media_type, picture.width, picture.height, picture.data, finding.raw_range)


def _canvas(pixels: NDArray[np.uint8], longest_side: int) -> Image.Image:
    rows, columns = pixels.shape
    size = fit(columns, rows, longest_side)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR).convert("RGB")


def _draw_box(canvas: Image.Image, region: RelativeBox) -> None:
    box = to_pixels(region, *canvas.size)
    border = max(1, round(min(canvas.size) * _BOX_BORDER))
    corners = (box.x, box.y, box.x + box.width - 1, box.y + box.height - 1)
    ImageDraw.Draw(canvas).rectangle(corners, outline=_BOX_COLOUR, width=border)


def _colour_shown(canvas: Image.Image, finding: GradientFinding) -> Image.Image:
    ranks = np.where(finding.shown, _ranks(finding), np.float32(-1))
    ranks = _resize_keeping_maxima(_resize_keeping_maxima(ranks, canvas.height, axis=0), canvas.width, axis=1)
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


def _resize_keeping_maxima(values: NDArray[np.float32], size: int, axis: int) -> NDArray[np.float32]:
    """Repeat the nearest value where the axis grows, take the maximum where it shrinks: no shown pixel vanishes."""
    available = values.shape[axis]
    places = np.arange(size)
    if size < available:
        return np.asarray(np.maximum.reduceat(values, places * available // size, axis=axis))
    # Nearest neighbour: what is shown are the model's pixels themselves, not a smoothed version of them.
    return np.asarray(np.take(values, (2 * places + 1) * available // (2 * size), axis=axis))


def _encode(image: Image.Image, image_format: OverlayFormat) -> EncodedImage:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **_ENCODER_OPTIONS[image_format])
    return EncodedImage(f"image/{image_format}", image.width, image.height, buffer.getvalue())
