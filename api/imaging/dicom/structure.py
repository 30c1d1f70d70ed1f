"""The data elements of a DICOM file (PS3.5, section 7), found without making an object for each.

A file of 32 MiB can hold four million elements, or sequences nested a million deep: what the walk does not refuse is
small enough for any parser, which only then makes objects of it.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR
from pydicom.valuerep import STANDARD_VR

from api.errors import UndecodableImage
from api.imaging.damage import damaged

MAX_ELEMENTS = 20_000  # elements, items and fragments in one file; radiographs have some hundreds
MAX_DEPTH = 16  # sequences in sequences; structured reports, the deepest objects, stay below that

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DELIMITER_GROUP, _DELIMITER_BYTES = 0xFFFE, 8
_UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
# Bytes and free text; a long value of any other kind that is read would come apart into millions of objects.
_BULK_VRS = _LONG_VRS - {"SQ", "SV", "UV"} | {"LT", "ST", "OB or OW", "US or OW", "US or SS or OW"}
_LONGEST_SHORT_VALUE = 0xFFFE


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: with their value representations (VR) or without, and in which byte order."""

    explicit_vr: bool
    little_endian: bool

    @property
    def byte_order(self) -> str:
        """The byte order as NumPy and struct write it."""
        return "<" if self.little_endian else ">"

    def integer(self, data: memoryview) -> int:
        """Read an unsigned integer."""
        return int.from_bytes(data, "little" if self.little_endian else "big")


@dataclass(frozen=True, slots=True)
class Element:
    """One data element.

    `vr` is None where the file does not tell it, or tells one that does not exist. `value` is what stands between
    header and delimiter: the items of a sequence, or all fragments of encapsulated pixel data. `fragments` are those
    without the Basic Offset Table, None where the element is not encapsulated. `end` is where the next element begins.
    """

    tag: int
    vr: str | None
    value: memoryview
    encoding: Encoding
    end: int
    fragments: tuple[memoryview, ...] | None = None


class Structure:
    """The elements of one file, which share one limit on their number.

    Parameters
    ----------
    data
        The file, its inflated data set, or the value of a sequence in it.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._left = MAX_ELEMENTS

    def elements(self, start: int, encoding: Encoding, group: int | None = None) -> Iterator[Element]:
        """Give the elements of the outermost data set up to and including the pixels.

        Sequences are checked, down to the last, before they are given. What follows the pixels is not looked at.

        Parameters
        ----------
        start
            Where the first element begins.
        encoding
            How the elements are written.
        group
            If given, the elements end where another group of tags begins.

        Raises
        ------
        UndecodableImage
            An element is not whole, there are too many of them, or they are nested too deep.
        """
        position, end = start, len(self._data)
        encoding = self._observed(position, encoding)
        while position < end and group in (None, encoding.integer(self._data[position : position + 2])):
            element = self._element(position, end, encoding, depth=0)
            _refuse_delimiter(element)
            yield element
            if element.tag in PIXELS:
                return
            position = element.end

    def items(self, encoding: Encoding) -> Iterator[Iterator[Element]]:
        """Give the items of the sequence whose value this is, each as its elements.

        Raises
        ------
        UndecodableImage
            An item is not whole.
        """
        for start, stop in self._items(0, len(self._data), encoding, depth=0, delimited=False):
            yield Structure(self._data[:stop]).elements(start, encoding)

    def _element(self, position: int, end: int, encoding: Encoding, depth: int) -> Element:
        self._count()
        tag, told_vr, length, start = self._header(position, end, encoding)
        if length == _UNDEFINED:
            return self._delimited(tag, start, end, encoding, depth)
        stop = _within(start + length, end)
        vr = told_vr if told_vr in STANDARD_VR else None
        known_vr = _known_vr(tag, vr)
        if known_vr == "SQ":
            _exhaust(self._items(start, stop, encoding, depth, delimited=False))
        elif length > _LONGEST_SHORT_VALUE and known_vr not in _BULK_VRS:
            raise damaged("dicom")
        return Element(tag, vr, self._data[start:stop], encoding, stop)

    def _delimited(self, tag: int, start: int, end: int, encoding: Encoding, depth: int) -> Element:
        """Read an element of undefined length: encapsulated pixel data, or a sequence (PS3.5, sections 7.5 and A.4)."""
        if tag == PIXEL_DATA:
            items = self._fragments(start, end, encoding)
        else:
            items = self._items(start, end, encoding, depth, delimited=True)
        found, stop = _exhaust(items)
        value = self._data[start : stop - _DELIMITER_BYTES]
        if tag != PIXEL_DATA:
            return Element(tag, "SQ", value, encoding, stop)
        return Element(tag, "OB", value, encoding, stop, tuple(self._data[a:b] for a, b in found[1:]))

    def _items(
        self, position: int, end: int, encoding: Encoding, depth: int, *, delimited: bool
    ) -> Generator[tuple[int, int], None, int]:
        """Give where each item's data set starts and stops; return where the sequence ends."""
        if depth >= MAX_DEPTH:
            raise UndecodableImage(f"DICOM sequences must be nested at most {MAX_DEPTH} deep. Received: more levels.")
        while position < end:
            tag, length, start = self._item_header(position, end, encoding)
            if tag == _SEQUENCE_END:
                return start if delimited else end
            limit = end if length == _UNDEFINED else _within(start + length, end)
            stop, position = self._data_set(start, limit, encoding, depth + 1, delimited=length == _UNDEFINED)
            yield start, stop
        return _ended(position, delimited)

    def _data_set(self, start: int, end: int, encoding: Encoding, depth: int, *, delimited: bool) -> tuple[int, int]:
        """Walk the elements of an item; give where they stop and where the item ends."""
        position = start
        encoding = self._observed(start, encoding)
        while position < end:
            element = self._element(position, end, encoding, depth)
            if element.tag == _ITEM_END and delimited:
                return position, element.end
            _refuse_delimiter(element)
            position = element.end
        return position, _ended(position, delimited)

    def _fragments(self, position: int, end: int, encoding: Encoding) -> Generator[tuple[int, int], None, int]:
        while position < end:
            tag, length, start = self._item_header(position, end, encoding)
            if tag == _SEQUENCE_END:
                return start
            position = _within(start + length, end)
            yield start, position
        return _ended(position, delimited=True)

    def _item_header(self, position: int, end: int, encoding: Encoding) -> tuple[int, int, int]:
        self._count()
        tag, _, length, start = self._header(position, end, encoding)
        if tag not in (_ITEM, _SEQUENCE_END):
            raise damaged("dicom")
        return tag, length, start

    def _header(self, position: int, end: int, encoding: Encoding) -> tuple[int, str | None, int, int]:
        """Read tag, VR and length, and tell where the value starts (PS3.5, section 7.1)."""
        start = _within(position + 8, end)
        group, number = (encoding.integer(self._data[at : at + 2]) for at in (position, position + 2))
        tag = group << 16 | number
        vr = _letters(self._data[position + 4 : position + 6]) if encoding.explicit_vr else None
        if vr is None or group == _DELIMITER_GROUP:
            return tag, None, encoding.integer(self._data[position + 4 : start]), start
        if vr not in _LONG_VRS:
            return tag, vr, encoding.integer(self._data[position + 6 : start]), start
        return tag, vr, encoding.integer(self._data[start : start + 4]), _within(start + 4, end)

    def _observed(self, position: int, encoding: Encoding) -> Encoding:
        # Some writers fall back to implicit VR, in items above all, where the transfer syntax says explicit.
        first = self._data[position : position + 6]
        implicit = len(first) == 6 and encoding.integer(first[:2]) != _DELIMITER_GROUP and _letters(first[4:]) is None
        return Encoding(False, encoding.little_endian) if implicit else encoding

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise UndecodableImage(
                f"The DICOM file must have at most {MAX_ELEMENTS} data elements, items and fragments. Received: more."
            )


def _refuse_delimiter(element: Element) -> None:
    if element.tag >> 16 == _DELIMITER_GROUP:
        raise damaged("dicom")


def _letters(code: memoryview) -> str | None:
    text = bytes(code).decode("latin-1")
    return text if text.isascii() and text.isalpha() and text.isupper() else None


def _known_vr(tag: int, vr: str | None) -> str:
    """Give the VR that a reader will take an element for, which for unknown ones is that of the data dictionary."""
    if vr is not None and vr != "UN":
        return vr
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _exhaust(items: Generator[tuple[int, int], None, int]) -> tuple[list[tuple[int, int]], int]:
    found = []
    while True:
        try:
            found.append(next(items))
        except StopIteration as stop:
            return found, stop.value


def _within(position: int, end: int) -> int:
    if position > end:
        raise damaged("dicom")
    return position


def _ended(position: int, delimited: bool) -> int:
    if delimited:
        raise damaged("dicom")
    return position
