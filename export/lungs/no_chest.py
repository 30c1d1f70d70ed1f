"""Pictures without lungs, made from nothing or from cut radiographs, for which the right mask is empty.

Without them the network has never seen a frame that holds no lungs and draws some anywhere.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

_Maker = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


def make_picture_without_chest(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Make one of: an even frame, noise of some coarseness, drawn shapes, lines of print, shuffled tiles.

    Parameters
    ----------
    radiograph
        Gives the shape and the tiles; grey levels ``[h, w]``, 0 to 255.
    generator
        Decides.

    Returns
    -------
    Grey levels, the same shape and range.
    """
    return _MAKERS[generator.integers(len(_MAKERS))](radiograph, generator)


def _even(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    return np.full_like(radiograph, generator.integers(256))


def _noise(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    cells = int(2 ** generator.uniform(1, 8))
    coarse = Image.fromarray(generator.integers(0, 256, (cells, cells), dtype=np.uint8))
    return np.asarray(coarse.resize(radiograph.shape[::-1], Image.Resampling.BICUBIC))


def _shapes(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw ellipses, rectangles and thick lines, mostly bright on dark as in radiographs of limbs."""
    height, width = radiograph.shape
    picture = Image.new("L", (width, height), int(generator.integers(0, 100)))
    draw = ImageDraw.Draw(picture)
    for _ in range(generator.integers(1, 12)):
        x, y = np.sort(generator.uniform(0, width, 2)), np.sort(generator.uniform(0, height, 2))
        level, box = int(generator.integers(256)), (x[0], y[0], x[1], y[1])
        kind = generator.integers(3)
        if kind == 0:
            draw.ellipse(box, fill=level)
        elif kind == 1:
            draw.rectangle(box, fill=level)
        else:
            draw.line(box, fill=level, width=int(generator.integers(2, width // 6)))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(generator.uniform(0, 4))))


def _print(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw rows of words as bars, dark on bright or the reverse."""
    height, width = radiograph.shape
    paper, ink = (255, 0) if generator.random() < 0.5 else (0, 255)
    picture = Image.new("L", (width, height), paper)
    draw, pitch = ImageDraw.Draw(picture), int(generator.integers(6, 24))
    for y in range(pitch, height - pitch, pitch):
        x = pitch
        while x < width * generator.uniform(0.5, 1):
            length = int(generator.integers(pitch // 2, pitch * 4))
            draw.rectangle((x, y, x + length, y + pitch // 2), fill=ink)
            x += length + pitch // 2
    return np.asarray(picture)


def _shuffled_tiles(radiograph: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a radiograph in 4 by 4 tiles and lay them anew: the textures of a chest without its shape."""
    height, width = (side // 4 for side in radiograph.shape)
    tiles = [radiograph[y * height :, x * width :][:height, :width] for y in range(4) for x in range(4)]
    order = generator.permutation(16).reshape(4, 4)
    shuffled = np.zeros_like(radiograph)
    shuffled[: 4 * height, : 4 * width] = np.block([[tiles[k] for k in row] for row in order.tolist()])
    return shuffled


_MAKERS: tuple[_Maker, ...] = (_even, _noise, _shapes, _print, _shuffled_tiles)
