"""From shares of the frame to pixels."""

import math

from api.types import BoundingBox, RelativeBox


def to_pixels(box: RelativeBox, width: int, height: int) -> BoundingBox:
    """Place a box on an image of the given size, rounded outwards and clipped to the image.

    Parameters
    ----------
    box
        Shares of the frame, 0 to 1.
    width, height
        Size of the image in pixels.
    """
    left, right = _outwards(box.left, box.right, width)
    top, bottom = _outwards(box.top, box.bottom, height)
    return BoundingBox(x=left, y=top, width=right - left, height=bottom - top)


def _outwards(start: float, end: float, size: int) -> tuple[int, int]:
    # Shares such as 1/3 are not exact in binary; without the margin a box on a pixel edge could grow by one pixel.
    margin = 1e-6
    return max(0, math.floor(start * size + margin)), min(size, math.ceil(end * size - margin))


def fit(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Size of an image scaled so that its longest side has the given length; no side is less than one pixel."""
    scale = longest_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
