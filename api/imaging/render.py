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
    # Nearest neighbour: what is shown are the model's pixels themselves, not a smoothed version of them.
    shown = _enlarge(finding.shown.astype(np.uint8) * 255, canvas.size) > 0
    importance = _enlarge(np.rint(finding.importance * 255).astype(np.uint8), canvas.size) / 255
    rank = np.clip((importance - finding.threshold) / max(1 - finding.threshold, 1e-6), 0, 1)[..., np.newaxis]
    colour = _LEAST_IMPORTANT + rank * (_MOST_IMPORTANT - _LEAST_IMPORTANT)
    grey = np.asarray(canvas, dtype=np.float64)
    blended = grey + shown[..., np.newaxis] * _OPACITY * (colour - grey)
    return Image.fromarray(np.rint(blended).astype(np.uint8))


def _enlarge(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.NEAREST))


def _encode(image: Image.Image, image_format: OverlayFormat) -> EncodedImage:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **_ENCODER_OPTIONS[image_format])
    return EncodedImage(f"image/{image_format}", image.width, image.height, buffer.getvalue())
