"""Look-up tables of Modality LUT, VOI LUT and palettes (PS3.3, sections C.11.1.1, C.11.2.1.1 and C.7.6.3.1.5)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from api.errors import UndecodableImage
from api.imaging.dicom.segmented_palette import expand
from api.imaging.dicom.values import integers, items, words

MODALITY_LUT_SEQUENCE, VOI_LUT_SEQUENCE = 0x00283000, 0x00283010
_DESCRIPTOR, _DATA = 0x00283002, 0x00283006
_PALETTE_DESCRIPTOR, _PALETTE_DATA, _SEGMENTED_PALETTE_DATA = 0x00281101, 0x00281201, 0x00281221
_BLUE = 2
_WORDS = 1 << 16
_BITS = range(8, 17)
_BYTE, _WORD = np.dtype(np.uint8), np.dtype("<u2")
_MISSING = 1 / 16  # the most entries that may be missing at the end, as a share, beside a single one


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table whose first entry is for the value `first`; entries are of `bits` bits, at most 16."""

    first: int
    entries: NDArray[np.uint16]
    bits: int

    def look_up(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map values; those before the first entry and after the last one take these."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        found: NDArray[np.uint16] = self.entries[places.astype(np.intp)]
        return found.astype(np.float64)

    @property
    def largest(self) -> int:
        """The largest value that an entry of so many bits can have."""
        return (1 << self.bits) - 1


@dataclass(frozen=True, slots=True)
class _Descriptor:
    entries: int
    first: int
    bits: int


def read_table(header: Dataset, sequence: int, inputs: tuple[float, float]) -> LookupTable | None:
    """Read the first table of a Modality or VOI LUT Sequence; None if there is none. An empty item is no table.

    Parameters
    ----------
    header
        The data set with the sequence.
    sequence
        Its tag.
    inputs
        The smallest and the largest value that can go in. They decide on the sign of the first value of the table.

    Raises
    ------
    UndecodableImage
        The table is not whole.
    """
    tables = (item for item in items(header, sequence) if words(item, _DESCRIPTOR) or words(item, _DATA))
    item = next(tables, None)
    if item is None:
        return None
    descriptor = _read_descriptor(item, _DESCRIPTOR, inputs)
    return _table(descriptor, _read_entries(item, _DATA, descriptor))


def read_palette(header: Dataset, inputs: tuple[float, float]) -> tuple[LookupTable, LookupTable, LookupTable]:
    """Read the tables of red, green and blue, for indices from the smallest to the largest of `inputs`.

    Raises
    ------
    UndecodableImage
        One is missing or not whole.
    """
    red, green, blue = (_read_colour(header, colour, inputs) for colour in range(_BLUE + 1))
    return red, green, blue


def _read_colour(header: Dataset, colour: int, inputs: tuple[float, float]) -> LookupTable:
    descriptor = _read_descriptor(header, _PALETTE_DESCRIPTOR + colour, inputs)
    segments = words(header, _SEGMENTED_PALETTE_DATA + colour)
    if not segments:
        return _table(descriptor, _read_entries(header, _PALETTE_DATA + colour, descriptor))
    kind = _BYTE if descriptor.bits == 8 else _WORD
    return _table(descriptor, expand(np.frombuffer(segments[: len(segments) // 2 * 2], kind), descriptor.entries))


def _read_descriptor(header: Dataset, tag: int, inputs: tuple[float, float]) -> _Descriptor:
    values = integers(header, tag, signed=inputs[0] < 0)
    if len(values) < 3:
        raise UndecodableImage(
            "A look-up table of a DICOM object must have a descriptor of three numbers. "
            f"Received: {len(values)} of them."
        )
    # 65536 does not fit and is written as 0 (PS3.3, section C.11.1.1.1).
    entries = values[0] % _WORDS or _WORDS
    return _Descriptor(entries, _first(values[1], entries, inputs), values[2])


def _first(declared: int, entries: int, inputs: tuple[float, float]) -> int:
    """Give the first value of a table the sign with which the table meets more of the values that go in.

    The VR should tell the sign (PS3.3, section C.11.1.1.1), but many write US whatever goes in. It decides where both
    signs do as well.
    """
    other = declared + _WORDS if declared < 0 else declared - _WORDS if declared >= _WORDS // 2 else declared
    lowest, highest = inputs
    return max(declared, other, key=lambda first: max(0, min(first + entries, highest + 1) - max(first, lowest)))


def _read_entries(header: Dataset, tag: int, descriptor: _Descriptor) -> NDArray[np.uint16]:
    """Read the entries; a few that are missing at the end are as the last one, as values beyond the table are."""
    data, count = words(header, tag), descriptor.entries
    # Entries of 8 bits may stand one in a byte.
    kind = _BYTE if descriptor.bits <= 8 and len(data) < 1.5 * count else _WORD
    found = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)[:count]
    missing = count - len(found)
    if not len(found) or missing > max(1, count * _MISSING):
        raise UndecodableImage(
            f"A look-up table of a DICOM object must have the {count} entries of its descriptor. "
            f"Received: {len(found)}. Send the complete file."
        )
    return np.pad(found.astype(np.uint16), (0, missing), "edge")


def _table(descriptor: _Descriptor, entries: NDArray[np.uint16]) -> LookupTable:
    # Some descriptors claim fewer bits than the entries have, or a number that no entry can have.
    claimed = descriptor.bits if descriptor.bits in _BITS else 1
    return LookupTable(descriptor.first, entries, max(claimed, int(entries.max()).bit_length()))
