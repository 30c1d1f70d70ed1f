"""The strongest channels of a layer side by side, in colours whose meaning is the same on every radiograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from api.imaging.render.enlarge import keep_maxima
from api.imaging.render.files import encode
from api.imaging.render.scaled_map import colours_of
from api.types import EncodedImage, Layer, OverlayFormat

_COLUMNS = 4
_CAPTION = 0.13  # height of a caption, of a cell's longest side
_LEGIBLE = 9  # pixels: a font of fewer cannot be read
_PAPER, _INK = (24, 24, 24), (235, 235, 235)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes in pixels. A cell is a tile below its caption; there are gaps between the cells."""

    tile: tuple[int, int]
    caption: int
    gap: int
    rows: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the montage."""
        right, below = self.cell(_COLUMNS * self.rows - 1)
        return right + self.tile[0], below + self.caption + self.tile[1]

    def cell(self, number: int) -> tuple[int, int]:
        """Give the left and upper edge of a cell, counted from 0 in rows."""
        row, column = divmod(number, _COLUMNS)
        return column * (self.tile[0] + self.gap), row * (self.tile[1] + self.caption + self.gap)


def draw_layer(layer: Layer, frame: tuple[int, int], longest_side: int, overlay_format: OverlayFormat) -> EncodedImage:
    """Draw the channels of a layer in rows of four, the strongest first, each below its number.

    Absolute values have the colours of the maps, from 0 to the layer's upper end; values above it look like it. The
    map's own cells are shown, not a smoothed version of them.

    Parameters
    ----------
    layer
        What to show, finite.
    frame
        Width and height of the radiograph: each tile has its proportions, as each map covers the whole frame.
    longest_side
        No side of the montage is longer, pixels. Where a caption could not be read, captions are left out.
    overlay_format
        File format of the montage.

    Raises
    ------
    ValueError
        A value is no number.
    """
    if not layer.drawable:
        raise ValueError(f"The maps must be finite. Received: {layer.name=}")
    captions = [f"channel {channel}" for channel in layer.channels]
    layout, font = _lay_out(captions, frame, longest_side)
    montage = Image.new("RGB", layout.size, _PAPER)
    pen = ImageDraw.Draw(montage)
    for number, (values, caption) in enumerate(zip(layer.maps, captions, strict=True)):
        left, top = layout.cell(number)
        if font is not None:
            pen.text((left + layout.tile[0] / 2, top + layout.caption / 2), caption, _INK, font, "mm")
        montage.paste(_tile(values, layer.upper, layout.tile), (left, top + layout.caption))
    return encode(montage, overlay_format)


def _lay_out(
    captions: Sequence[str], frame: tuple[int, int], longest_side: int
) -> tuple[_Layout, ImageFont.FreeTypeFont | ImageFont.ImageFont | None]:
    rows = -(-len(captions) // _COLUMNS)
    gap = max(1, longest_side // 128)
    across = max(_COLUMNS, rows)
    cell = max(1, (longest_side - gap * (across - 1)) // across)
    caption = round(cell * _CAPTION)
    tile = _fit_into(frame, cell, cell - caption)
    font = _font(captions, caption, tile[0])
    if font is None:
        return _Layout(_fit_into(frame, cell, cell), 0, gap, rows), None
    return _Layout(tile, caption, gap, rows), font


def _fit_into(frame: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    scale = min(width / frame[0], height / frame[1])
    return max(1, round(frame[0] * scale)), max(1, round(frame[1] * scale))


def _font(captions: Sequence[str], height: int, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont | None:
    """Find the largest font in which all captions fit; None if nobody could read it."""
    for size in range(round(height * 0.8), _LEGIBLE - 1, -1):
        font = _load_font(size)
        if max(font.getlength(caption) for caption in captions) <= width:
            return font
    return None


@cache
def _load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _tile(values: NDArray[np.float32], upper: float, size: tuple[int, int]) -> Image.Image:
    shares = np.clip(np.abs(values) / np.float32(upper), 0, 1, dtype=np.float32)
    enlarged = keep_maxima(shares, size[1], size[0])
    return Image.fromarray(np.rint(colours_of(enlarged)).astype(np.uint8))
