"""From samples to grey levels, as a viewer shows them (PS3.4, section N.2).

All steps between are functions of one sample, and a sample has 16 bits at most. They are computed once for each value
that a sample can have, which makes one table; the pixels are looked up in it.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from api.imaging.bands import row_bands
from api.imaging.dicom.image_pixel import ImagePixel
from api.imaging.dicom.lookup_tables import MODALITY_LUT_SEQUENCE, read_palette, read_table
from api.imaging.dicom.pixels import Sampled, Samples
from api.imaging.dicom.values import integers, numbers, text
from api.imaging.dicom.voi import read_voi

_WHITE = 255
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
_PRESENTATION_LUT_SHAPE = 0x20500020

Values = NDArray[np.float64]
Shown = NDArray[np.bool_]


def to_grey(samples: Samples, image: ImagePixel, header: Dataset) -> NDArray[np.uint8]:
    """Render samples as grey levels, shape ``[rows, columns]``, 0 (black) to 255.

    Modality LUT or rescale, the first VOI LUT or else the first window, inversion; padding is black. Without VOI LUT
    and window, values from 0 to the smallest power of two above the largest one, less one, are spread over the grey
    levels, as those of a 16-bit PNG; where values are negative, those from the smallest to the largest. Padding does
    not count in either. A rescale is linear, so that without VOI it changes nothing but, if its slope is negative, the
    direction. Colour is shown as its luma, without VOI.

    MONOCHROME1 is inverted, and so is Presentation LUT Shape INVERSE, once where both are given. MONOCHROME1 with the
    shape IDENTITY is forbidden (PS3.3, section C.8.11.3) and is inverted too: the photometric interpretation counts.
    Viewers differ there; dcmtk's goes by the shape.

    Raises
    ------
    UndecodableImage
        A look-up table is not whole.
    """
    used = _used(samples.values)
    if image.photometric_interpretation == "PALETTE COLOR":
        table = _palette_table(_stored(len(used), samples, signed=False), header)
    elif image.samples_per_pixel > 1:
        table = _stretched(np.arange(len(used), dtype=np.float64), used)
    else:
        table = _monochrome_table(_stored(len(used), samples, signed=image.signed), used, image, header)
    return _look_up(samples.values, table)


def _used(values: Sampled) -> Shown:
    """Tell which of the values that samples of this type can have occur, shape ``[256]`` or ``[65536]``."""
    used = np.zeros(1 << 8 * values.dtype.itemsize, np.bool_)
    for rows in row_bands(*values.shape):
        used[values[rows]] = True
    return used


def _look_up(values: Sampled, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = np.empty(values.shape, np.uint8)
    for rows in row_bands(*values.shape):
        grey[rows] = table[values[rows]]
    return grey


def _stored(count: int, samples: Samples, *, signed: bool) -> Values:
    """Give the stored value of each sample (PS3.5, section 8.1.1): without the bits beyond, with its sign."""
    return _value(np.arange(count), samples.bits_stored, samples.high_bit, signed=signed)


def _value(raw: NDArray[np.int64], bits: int, high_bit: int, *, signed: bool) -> Values:
    value = raw >> (high_bit + 1 - bits) & ((1 << bits) - 1)
    if signed:
        value -= (value >> (bits - 1)) << bits
    return value.astype(np.float64)


def _monochrome_table(stored: Values, used: Shown, image: ImagePixel, header: Dataset) -> NDArray[np.uint8]:
    padding = _padding(stored, image, header)
    modality = read_table(header, MODALITY_LUT_SEQUENCE, _range(stored))
    slope, intercept = _rescale(header)
    values = stored * slope + intercept if modality is None else modality.look_up(stored)
    voi = read_voi(header, _range(values))
    if voi is not None:
        grey = _to_levels(voi.apply(values))
    elif modality is not None:
        grey = _stretched(values, used & ~padding)
    else:
        grey = _stretched(stored, used & ~padding)
        grey = _WHITE - grey if slope < 0 else grey
    if image.photometric_interpretation == "MONOCHROME1" or text(header, _PRESENTATION_LUT_SHAPE) == "INVERSE":
        grey = _WHITE - grey
    grey[padding] = 0
    return grey


def _padding(stored: Values, image: ImagePixel, header: Dataset) -> Shown:
    """Tell which samples pad the image (PS3.3, section C.7.5.1.1.2).

    Some writers count the unused bits of a sample too: those whose padding value has more bits than are stored.
    """
    value, limit = (integers(header, tag, signed=image.signed)[:1] for tag in (_PADDING, _PADDING_LIMIT))
    if not value:
        return np.zeros(stored.shape, np.bool_)
    whole = {"bits": image.bits_allocated, "high_bit": image.bits_allocated - 1}
    ends = _value(np.array(value + limit), **whole, signed=image.signed)
    padding = _between(stored, ends)
    if _between(ends, stored).all():
        return padding
    return padding | _between(_value(np.arange(len(stored)), **whole, signed=image.signed), ends)


def _between(values: Values, ends: Values) -> Shown:
    lowest, highest = _range(ends)
    between: Shown = (values >= lowest) & (values <= highest)
    return between


def _range(values: Values) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _rescale(header: Dataset) -> tuple[float, float]:
    """Read slope and intercept (PS3.3, section C.11.1.1.2); a slope of zero would say nothing and is taken as one."""
    slope = next(iter(numbers(header, _SLOPE)), 0.0) or 1.0
    return slope, next(iter(numbers(header, _INTERCEPT)), 0.0)


def _stretched(values: Values, shown: Shown) -> NDArray[np.uint8]:
    if not shown.any():
        return np.zeros(values.shape, np.uint8)
    lowest, highest = values[shown].min(), values[shown].max()
    if lowest < 0:
        share = (values - lowest) / max(1.0, highest - lowest)
        return _to_levels(share.clip(0, 1))
    shift = max(8, int(highest).bit_length()) - 8
    levels: NDArray[np.uint8] = (values.clip(0, highest).astype(np.uint32) >> shift).astype(np.uint8)
    return levels


def _palette_table(stored: Values, header: Dataset) -> NDArray[np.uint8]:
    """Give the luma of each index (ITU-R BT.601)."""
    red, green, blue = (table.look_up(stored) / table.largest for table in read_palette(header, _range(stored)))
    return _to_levels(0.299 * red + 0.587 * green + 0.114 * blue)


def _to_levels(brightness: Values) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(_WHITE * brightness).astype(np.uint8)
    return levels
