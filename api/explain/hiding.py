"""Copies of a radiograph with one region hidden, for methods that ask what the classifier makes of the rest.

Edges are hard on purpose: a grid's copies hide each pixel exactly once, and a drop belongs to the named region alone.
With a soft edge, a part of the region would remain and a part of its neighbours would go.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from api.types import Fill, RelativeBox

BLUR = 1 / 8  # standard deviation of the Gaussian, of each side of the frame: ribs and vessels vanish
RING = 1 / 16  # width of the ring around a region, of each side of the frame

_Place = tuple[slice, slice]
_Filling = Callable[[NDArray[np.uint8], Sequence[_Place]], Sequence[NDArray[np.uint8] | int]]


def hide_each(image: NDArray[np.uint8], regions: Sequence[RelativeBox], fill: Fill) -> list[NDArray[np.uint8]]:
    """Make one copy of an image for each region, with that region hidden.

    Parameters
    ----------
    image
        Grey levels, shape ``[rows, columns]``, 0 (black) to 255.
    regions
        What to hide. Edges go to the nearest edge between pixels, so that regions that share one neither overlap nor
        leave a gap.
    fill
        `blur`: the image itself, blurred by a Gaussian of 1/8 of each side; its broad brightness remains, and the edge
        of the patch is faint. `mean`: one level, the mean of the ring around the region, 1/16 of each side wide;
        nothing of the region remains. `black`: 0, as in the study.

    Returns
    -------
    One array of the image's shape for each region.

    Raises
    ------
    ValueError
        `mean` cannot hide the whole frame: there is nothing around it.
    """
    places = [_place(region, image.shape) for region in regions]
    return [_filled(image, place, filling) for place, filling in zip(places, _FILLS[fill](image, places), strict=True)]


def _place(region: RelativeBox, shape: tuple[int, ...]) -> _Place:
    rows, columns = shape
    vertical = slice(round(region.top * rows), round(region.bottom * rows))
    return vertical, slice(round(region.left * columns), round(region.right * columns))


def _filled(image: NDArray[np.uint8], place: _Place, filling: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    copy = image.copy()
    copy[place] = filling
    return copy


def _blurred(image: NDArray[np.uint8], places: Sequence[_Place]) -> list[NDArray[np.uint8] | int]:
    rows, columns = image.shape
    # Pillow repeats the outermost pixels beyond the frame, and approximates the Gaussian by three box filters.
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur((BLUR * columns, BLUR * rows))))
    return [smooth[place] for place in places]


def _surroundings(image: NDArray[np.uint8], places: Sequence[_Place]) -> list[NDArray[np.uint8] | int]:
    return [_mean_around(image, place) for place in places]


def _mean_around(image: NDArray[np.uint8], place: _Place) -> int:
    sides = [(part, max(1, round(RING * size)), size) for part, size in zip(place, image.shape, strict=True)]
    wider = tuple(slice(max(0, part.start - ring), min(size, part.stop + ring)) for part, ring, size in sides)
    count = image[wider].size - image[place].size
    if not count:
        raise ValueError(f"There must be something around a region whose fill is 'mean'. Received: {place=}")
    return round((int(image[wider].sum(dtype=np.int64)) - int(image[place].sum(dtype=np.int64))) / count)


def _black(_image: NDArray[np.uint8], places: Sequence[_Place]) -> list[NDArray[np.uint8] | int]:
    return [0 for _ in places]


_FILLS: Mapping[Fill, _Filling] = {"blur": _blurred, "mean": _surroundings, "black": _black}
