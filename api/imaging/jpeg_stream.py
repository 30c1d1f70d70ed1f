"""The structure of a JPEG stream (ITU-T T.81, annex B) or a JPEG-LS stream (T.87, annex C), nothing of it decoded."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.errors import UndecodableImage
from api.imaging.damage import damaged
from api.types import ImageFormat

BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
MOST_SEGMENTS = 1000  # before the first scan, and from there on; metadata of 32 MiB take some 500

_MOST_COMPONENTS = 4  # in a scan (T.81, table B.3)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {JPEG_LS}
# Not fill bytes, restart markers, or FF in coded data: 00 follows it there, and less than 80 in JPEG-LS.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")


@dataclass(frozen=True, slots=True)
class Component:
    """A component and its sampling factors."""

    number: int
    horizontal: int
    vertical: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header (T.81, section B.2.2). `process` is its marker."""

    process: int
    precision: int
    height: int
    width: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header (T.81, section B.2.3).

    `components` are their numbers. `first` and `last` are the ends of the spectral selection, `lowest_bit` the point
    transform. `coded` is how many bytes follow the header up to the next segment.
    """

    components: tuple[int, ...]
    first: int
    last: int
    lowest_bit: int
    coded: int


@dataclass(frozen=True, slots=True)
class JpegHead:
    """What stands before the first scan: markers and contents of the segments, and where the scan begins."""

    segments: tuple[tuple[int, bytes], ...]
    frame: Frame
    scans_start: int


def read_head(data: bytes, image_format: ImageFormat) -> JpegHead:
    """Read the segments before the first scan.

    Raises
    ------
    UndecodableImage
        They are not whole or too many, or there is not one frame header among them.
    """
    found: list[tuple[int, bytes]] = []
    for marker, start, end in _segments(data, 2, image_format):
        if marker == _START_OF_SCAN:
            frames = [_frame(kind, content, image_format) for kind, content in found if kind in _FRAME_HEADERS]
            if len(frames) != 1:
                raise damaged(image_format)
            return JpegHead(tuple(found), frames[0], start - 2)
        found.append((marker, data[start + 2 : end]))
    raise damaged(image_format)


def read_scans(data: bytes, head: JpegHead, image_format: ImageFormat) -> tuple[tuple[Scan, ...], int]:
    """Read the scan headers, and tell where the stream ends, after the marker that says so.

    Raises
    ------
    UndecodableImage
        A segment is not whole, there are too many of them, or the marker is missing.
    """
    scans: list[Scan] = []
    header: bytes | None = None
    coded_start = 0
    for marker, start, end in _segments(data, head.scans_start, image_format):
        if header is not None:
            scans.append(_scan(header, start - 2 - coded_start, image_format))
        if marker == _END_OF_IMAGE:
            return tuple(scans), start
        header, coded_start = (data[start + 2 : end], end) if marker == _START_OF_SCAN else (None, 0)
    raise damaged(image_format)


def _segments(data: bytes, position: int, image_format: ImageFormat) -> Iterator[tuple[int, int, int]]:
    """Give marker, start of the length and end of each segment; the end of the image has no length."""
    for _ in range(MOST_SEGMENTS + 1):
        found = _MARKER.search(data, position)
        if found is None:
            return
        marker, start = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            yield marker, start, start
            return
        # A segment begins with its length; a scan may be cut off, but its size is known by then.
        position = start + int.from_bytes(data[start : start + 2])
        if marker != _START_OF_SCAN and not start + 2 <= position <= len(data):
            raise damaged(image_format)
        yield marker, start, position
    raise UndecodableImage(f"A JPEG stream must have at most {MOST_SEGMENTS} marker segments. Received: more.")


def _frame(process: int, content: bytes, image_format: ImageFormat) -> Frame:
    components = _components(content[6:], content[5]) if len(content) >= 6 else ()
    if not components or any(not component.horizontal or not component.vertical for component in components):
        raise damaged(image_format)
    return Frame(process, content[0], int.from_bytes(content[1:3]), int.from_bytes(content[3:5]), components)


def _components(specified: bytes, count: int) -> tuple[Component, ...]:
    if len(specified) < 3 * count:
        return ()
    of_each: Sequence[bytes] = [specified[3 * i : 3 * i + 3] for i in range(count)]
    return tuple(Component(number, sampling >> 4, sampling & 15) for number, sampling, _ in of_each)


def _scan(header: bytes, coded: int, image_format: ImageFormat) -> Scan:
    count = header[0] if header else 0
    if not 1 <= count <= _MOST_COMPONENTS or len(header) != 1 + 2 * count + 3:
        raise damaged(image_format)
    first, last, approximation = header[-3:]
    return Scan(tuple(header[1 : 1 + 2 * count : 2]), first, last, approximation & 15, coded)
