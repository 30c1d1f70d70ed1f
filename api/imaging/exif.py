"""The one integer that is wanted of EXIF, and turning the image by it.

A general EXIF reader also reads, and may log, the names and dates that cameras and PACS store there.
"""

import struct

import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 0x0112
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_INTEGERS = {3: "H", 4: "I"}  # TIFF 6.0, section 2: SHORT and LONG


def read_integer(tiff: bytes, tag: int) -> int | None:
    """Read one SHORT or LONG from the first directory of a TIFF structure; None if it is not there or not readable."""
    try:
        order = _BYTE_ORDERS[tiff[:2]]
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            found, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if found == tag:
                return int(struct.unpack_from(order + _INTEGERS[kind], tiff, entry + 8)[0])
    except (KeyError, struct.error):
        pass  # Damaged metadata says nothing about the pixels.
    return None


def read_orientation(tiff: bytes) -> int:
    """Read the EXIF orientation, 1 to 8; 1 (upright) if it is missing or invalid."""
    orientation = read_integer(tiff, _ORIENTATION)
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation (EXIF 2.3, section 4.6.4 A).

    Parameters
    ----------
    pixels
        Grey levels as stored, shape ``[rows, columns]``.
    orientation
        1 to 8.

    Returns
    -------
    Grey levels as they are to be seen, shape ``[rows, columns]`` or, from 5 on, ``[columns, rows]``.
    """
    if orientation >= 5:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
