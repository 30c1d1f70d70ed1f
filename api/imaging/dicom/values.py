"""Values of single tags, read from the bytes in the file (PS3.5, sections 6.2 and 6.4).

pydicom would do the same, but it warns of odd values, and its warnings repeat them: they may hold patient data. Nor
does it bound what it makes of them. Here a value that is missing or makes no sense is None or empty.
"""

import math
import struct
from collections.abc import Iterator
from itertools import islice

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from api.imaging.dicom.file import to_dataset
from api.imaging.dicom.structure import Encoding, Structure

_LONGEST_TEXT = 1024  # characters; the tags that are read here hold at most 64 a value
_MOST_ITEMS = 16
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_LARGEST = 1e12  # beyond the values of any radiograph; squares and quotients stay finite


def texts(header: Dataset, tag: int) -> tuple[str, ...]:
    """Read the values of a text tag without the spaces around them.

    Character sets are not decoded: codes, dates and identifiers are ASCII, and names are not read.
    """
    text = _bytes(header, tag)[:_LONGEST_TEXT].decode("ascii", "replace")
    return tuple(value.strip("\0 ") for value in text.split("\\")) if text.strip("\0 ") else ()


def text(header: Dataset, tag: int) -> str:
    """Read the first value of a text tag; empty if there is none."""
    return next(iter(texts(header, tag)), "")


def numbers(header: Dataset, tag: int) -> tuple[float, ...]:
    """Read the leading values of a tag as numbers, up to one that is none.

    They are text, as in a Decimal String or an Integer String, unless the file gives a binary VR.
    """
    raw = _raw(header, tag)
    if raw is None:
        return ()
    kind = _BINARY.get(raw.VR or "")
    found = _unpacked(raw, kind) if kind else tuple(map(_to_float, texts(header, tag)))
    first_bad = next((i for i, value in enumerate(found) if not abs(value) <= _LARGEST), len(found))
    return found[:first_bad]


def integers(header: Dataset, tag: int, *, signed: bool = False) -> tuple[int, ...]:
    """Read the leading values of a tag of 16-bit integers.

    `signed` says how they are to be read where the file does not tell: with an implicit or unknown VR.
    """
    raw = _raw(header, tag)
    if raw is not None and raw.VR in (None, "UN", "OW", "OB"):
        return tuple(int(value) for value in _unpacked(raw, "h" if signed else "H"))
    return tuple(int(value) for value in numbers(header, tag) if value == int(value))


def words(header: Dataset, tag: int) -> bytes:
    """Read a tag of 16-bit words (OW or US) in little-endian order; bytes (OB) are in the order of the file.

    Bytes that were written in pairs, as words, are in their own order then (as pixels are: PS3.5, section 8.1.1).
    """
    raw = _raw(header, tag)
    value = _bytes(header, tag)
    if raw is None or raw.is_little_endian or raw.VR == "OB":
        return value
    swapped, whole = bytearray(value), len(value) // 2 * 2
    swapped[0:whole:2], swapped[1:whole:2] = value[1:whole:2], value[0:whole:2]
    return bytes(swapped)


def items(header: Dataset, tag: int) -> Iterator[Dataset]:
    """Read the leading items of a sequence, which the walk through the file has found whole."""
    raw = _raw(header, tag)
    if raw is None or not raw.value or raw.VR not in (None, "SQ", "UN"):
        return
    encoding = Encoding(not raw.is_implicit_VR, raw.is_little_endian)
    for elements in islice(Structure(memoryview(raw.value)).items(encoding), _MOST_ITEMS):
        yield to_dataset(elements)


def _raw(header: Dataset, tag: int) -> RawDataElement | None:
    found = header.get_item(tag, keep_deferred=True)
    return found if isinstance(found, RawDataElement) else None


def _bytes(header: Dataset, tag: int) -> bytes:
    raw = _raw(header, tag)
    return (raw.value or b"") if raw is not None else b""


def _unpacked(raw: RawDataElement, kind: str) -> tuple[float, ...]:
    value = (raw.value or b"")[:_LONGEST_TEXT]
    order = "<" if raw.is_little_endian else ">"
    size = struct.calcsize(kind)
    return struct.unpack(f"{order}{len(value) // size}{kind}", value[: len(value) // size * size])


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
