"""One row of values as a DICOM file, and the grey levels that the gateway and dcmtk's viewer show of it."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from api.imaging.decode import decode
from tests.dicom.files import Storage, by_dcmtk, radiograph_file


def stored(values: Any, bits: int = 16, syntax: UID = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """Store one row of values, of 16 bits each, signed if one is negative."""
    row = np.array([values])
    storage = Storage(bits if bits > 8 else 16, signed=bool(row.min() < 0), voi="none")
    changed = {"BitsStored": bits, "HighBit": bits - 1, "Rows": 1, "Columns": row.size}
    levels = np.zeros((1, row.size), np.uint8)
    pixels = row.astype("<i2" if row.min() < 0 else "<u2").tobytes()
    attributes = {"PresentationLUTShape": None, "PixelData": pixels, **changed, **attributes}
    return radiograph_file(levels, storage, syntax=syntax, **attributes)


def levels_of(file: bytes) -> list[int]:
    return [int(level) for level in decode(file, max_pixels=10**6).pixels[0]]


def shown(values: Any, bits: int = 16, **attributes: Any) -> list[int]:
    return levels_of(stored(values, bits, **attributes))


def lut(vr: str, first: int, entries: Any, bits: int = 16) -> Dataset:
    """Make an item of a LUT sequence; its descriptor has the same bits under every VR, -3 those of 65533."""
    descriptor = np.array([len(entries), first, bits]) % 65536
    values = descriptor.astype("<u2" if vr == "US" else "<i2").tolist()
    item = Dataset()
    item.add_new(
        "LUTDescriptor", "OB" if vr == "UN" else vr, descriptor.astype("<u2").tobytes() if vr == "UN" else values
    )
    item["LUTDescriptor"].VR = vr  # pydicom would not take UN before: it knows better
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return item


def by_viewer(data: bytes, *choices: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(by_dcmtk(data, "dcmj2pnm", "+op", *choices))) as image:
        return np.asarray(image.convert("L"))
