"""How grey levels are stored in the DICOM files of tests: bits, sign, photometric interpretation, and the way back."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

Voi: TypeAlias = Literal["window", "lut", "none"]


@dataclass(frozen=True, slots=True)
class Storage:
    """How grey levels become stored values.

    The grey levels 0 to 255 take the stored values from `low` to `high`, by default the whole range of `bits`, `signed`
    or not; `inverted` is MONOCHROME1, where black takes the highest. `voi` is what brings the grey levels back.
    """

    bits: int = 8
    signed: bool = False
    inverted: bool = False
    low: int | None = None
    high: int | None = None
    voi: Voi = "window"
    rescale: tuple[float, float] = (1.0, 0.0)

    @property
    def lowest(self) -> int:
        """The stored value at the lower end."""
        first = -(2 ** (self.bits - 1)) if self.signed else 0
        return first if self.low is None else self.low

    @property
    def highest(self) -> int:
        """The stored value at the upper end."""
        last = 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1
        return last if self.high is None else self.high

    def store(self, levels: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Give the values to store for grey levels."""
        shares = (255 - levels if self.inverted else levels) / 255
        values = np.rint(self.lowest + shares * (self.highest - self.lowest))
        return values.astype(f"{'i' if self.signed else 'u'}{1 if self.bits <= 8 else 2}")


def image_pixel_module(levels: NDArray[np.uint8], storage: Storage) -> dict[str, Any]:
    """Give the attributes of stored grey levels (PS3.3, section C.7.6.3)."""
    values = storage.store(levels)
    rows, columns = values.shape
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME1" if storage.inverted else "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 8 * values.itemsize,
        "BitsStored": storage.bits,
        "HighBit": storage.bits - 1,
        "PixelRepresentation": int(storage.signed),
        "PixelData": values.tobytes() + b"\0" * (values.nbytes % 2),
    }


def grey_level_modules(storage: Storage) -> dict[str, Any]:
    """Give the attributes that map the stored values back to grey levels (PS3.3, sections C.11.1 and C.11.2)."""
    slope, intercept = storage.rescale
    rescale = {"RescaleSlope": f"{slope:g}", "RescaleIntercept": f"{intercept:g}", "RescaleType": "US"}
    low, high = sorted(slope * value + intercept for value in (storage.lowest, storage.highest))
    match storage.voi:
        case "window":
            return {**rescale, "WindowCenter": f"{(low + high + 1) / 2:g}", "WindowWidth": f"{high - low + 1:g}"}
        case "lut":
            return {**rescale, "VOILUTSequence": [ramp(int(low), int(high))]}
        case "none":
            return rescale


def ramp(low: int, high: int) -> Dataset:
    """Make a table that rises evenly to 65535 from one value to another."""
    item = Dataset()
    entries = np.rint(np.linspace(0, 2**16 - 1, high - low + 1)).astype("<u2")
    item.add_new("LUTDescriptor", "SS" if low < 0 else "US", [len(entries) % 2**16, low, 16])
    item.add_new("LUTData", "OW", entries.tobytes())
    return item
