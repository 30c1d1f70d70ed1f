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
_MOST_ENTRIES = 1 << 16


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table whose first entry is for the value `first`; entries are of `bits` bits, from 8 to 16."""

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


def read_table(header: Dataset, sequence: int, *, signed: bool) -> LookupTable | None:
    """Read the first table of a Modality or VOI LUT Sequence; None if there is no such sequence.

    Parameters
    ----------
    header
        The data set with the sequence.
    sequence
        Its tag.
    signed
        Whether the values that go in can be negative.

    Raises
    ------
    UndecodableImage
        The table is not whole.
    """
    item = next(items(header, sequence), None)
    if item is None:
        return None
    entries, first, bits = _descriptor(item, _DESCRIPTOR, signed=signed)
    return _table(first, _words(item, _DATA, entries), bits)


def read_palette(header: Dataset) -> tuple[LookupTable, LookupTable, LookupTable]:
    """Read the tables of red, green and blue.

    Raises
    ------
    UndecodableImage
        One is missing or not whole.
    """
    red, green, blue = (_read_colour(header, colour) for colour in range(_BLUE + 1))
    return red, green, blue


def _read_colour(header: Dataset, colour: int) -> LookupTable:
    entries, first, bits = _descriptor(header, _PALETTE_DESCRIPTOR + colour, signed=False)
    segments, little_endian = words(header, _SEGMENTED_PALETTE_DATA + colour)
    if not segments:
        return _table(first, _words(header, _PALETTE_DATA + colour, entries), bits)
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2" if little_endian else ">u2")
    return _table(first, expand(np.frombuffer(segments[: len(segments) // 2 * 2], kind), entries), bits)


def _descriptor(header: Dataset, tag: int, *, signed: bool) -> tuple[int, int, int]:
    values = integers(header, tag, signed=signed)
    if len(values) < 3 or not 8 <= values[2] <= 16:
        raise UndecodableImage(
            "A look-up table of a DICOM object must have a descriptor of three numbers, the last from 8 to 16. "
            "Received: another one."
        )
    # 65536 does not fit and is written as 0 (PS3.3, section C.11.1.1.1).
    return values[0] % _MOST_ENTRIES or _MOST_ENTRIES, values[1], values[2]


def _words(header: Dataset, tag: int, entries: int) -> NDArray[np.uint16]:
    data, little_endian = words(header, tag)
    if len(data) >= 2 * entries:
        return np.frombuffer(data, "<u2" if little_endian else ">u2", entries).astype(np.uint16)
    if len(data) >= entries:  # entries of 8 bits, one a byte
        return np.frombuffer(data, np.uint8, entries).astype(np.uint16)
    raise UndecodableImage(
        f"A look-up table of a DICOM object must have the {entries} entries of its descriptor. Received: fewer."
    )


def _table(first: int, entries: NDArray[np.uint16], bits: int) -> LookupTable:
    # Some descriptors claim fewer bits than the entries have.
    return LookupTable(first, entries, max(bits, int(entries.max()).bit_length()))
