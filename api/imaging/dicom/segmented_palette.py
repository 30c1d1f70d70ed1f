"""Palettes in segments: values one by one, straight lines, and repeats of both (PS3.3, section C.7.9.2)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from api.imaging.damage import damaged

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def expand(segments: NDArray[np.unsignedinteger], entries: int) -> NDArray[np.uint16]:
    """Write out the entries of a palette.

    Parameters
    ----------
    segments
        Operation codes, lengths and values, as 8 or 16 bits.
    entries
        How many entries the palette has.

    Raises
    ------
    UndecodableImage
        The segments give another number of entries, or are not whole.
    """
    palette: list[int] = []
    for part in _parts([int(word) for word in segments[: 4 * entries]], segments.itemsize):
        palette += part if isinstance(part, list) else _line(palette, *part)
        if len(palette) > entries:
            raise damaged("dicom")
    if len(palette) != entries:
        raise damaged("dicom")
    return np.array(palette, np.uint16)


_Line = tuple[int, int]


def _parts(words: list[int], word_bytes: int) -> Iterator[list[int] | _Line]:
    """Give values, or length and last value of a line, with repeats replaced by what they repeat."""
    position = 0
    while position + 1 < len(words):
        if words[position] != _INDIRECT:
            part, position = _part(words, position)
            yield part
            continue
        repeated, at = _repeat(words[position : position + 4], word_bytes)
        for _ in range(repeated):
            part, at = _part(words, at)
            yield part
        position += 4


def _part(words: list[int], position: int) -> tuple[list[int] | _Line, int]:
    start = position + 2
    if start > len(words):
        raise damaged("dicom")
    code, length = words[position:start]
    end = start + (length if code == _DISCRETE else 1)
    if code not in (_DISCRETE, _LINEAR) or length < 1 or end > len(words):
        raise damaged("dicom")
    return (words[start:end] if code == _DISCRETE else (length, words[start])), end


def _repeat(segment: list[int], word_bytes: int) -> tuple[int, int]:
    """Read how many parts are repeated, and the place of the first."""
    if len(segment) < 4:
        raise damaged("dicom")
    _, repeated, low, high = segment
    offset = low | high << 8 * word_bytes
    return repeated, offset // word_bytes


def _line(palette: list[int], length: int, last: int) -> list[int]:
    if not palette:
        raise damaged("dicom")
    first = palette[-1]
    return [round(first + (last - first) * step / length) for step in range(1, length + 1)]
