"""JPEG files (ITU-T T.81), decoded by libjpeg-turbo with every warning an error.

Pillow swallows libjpeg's warnings, among them "premature end of data", and would hand on a half-decoded image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from api.errors import UndecodableImage
from api.imaging.damage import damaged, refusing_damage
from api.imaging.exif import read_integer, read_orientation

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xCA)
_EXIF, _MULTI_PICTURE, _ADOBE = 0xE1, 0xE2, 0xEE
# Adobe's marker stays: it names the colour space.
_METADATA = (frozenset(range(0xE0, 0xF0)) - {_ADOBE}) | {0xFE}
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x00, 0x01}
_NUMBER_OF_IMAGES = 0xB001  # CIPA DC-007, section 5.2.3.2
_SCAN_HEADER = re.compile(rb"\xff\xda")  # In coded data a byte FF is always followed by 00 or a restart marker.


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG file whose header has been read and whose pixels have not. `coded` is the file without its metadata."""

    width: int
    height: int
    bit_depth: int
    orientation: int
    several_frames: bool
    coded: bytes
    component_ids: bytes
    progressive: bool

    def read_pixels(self) -> NDArray[np.uint8]:
        """Decode to grey levels, shape ``[height, width]``, as stored: not turned upright.

        Raises
        ------
        UndecodableImage
            The file is truncated or corrupt.
        """
        if self.progressive:
            _check_scans(self.coded, self.component_ids)
        pixels: NDArray[np.uint8]
        with refusing_damage("jpeg"):
            pixels = simplejpeg.decode_jpeg(self.coded, colorspace="GRAY", strict=True)[..., 0]
        return pixels


def open_jpeg(data: bytes) -> JpegFile:
    """Read the header of a JPEG file.

    Raises
    ------
    UndecodableImage
        There is no complete header.
    """
    segments, scans = _split(data)
    frame_marker, frame = next(((m, s) for m, s in segments if m in _START_OF_FRAME), (0, b""))
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise damaged("jpeg")
    return JpegFile(
        width=int.from_bytes(frame[3:5]),
        height=int.from_bytes(frame[1:3]),
        bit_depth=frame[0],
        orientation=read_orientation(_metadata(segments, _EXIF, b"Exif\0\0")),
        several_frames=(read_integer(_metadata(segments, _MULTI_PICTURE, b"MPF\0"), _NUMBER_OF_IMAGES) or 1) > 1,
        coded=_without_metadata(segments, scans),
        component_ids=frame[6 : 6 + 3 * frame[5] : 3],
        progressive=frame_marker in _PROGRESSIVE,
    )


def _split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Split a file into the segments before the first scan, as markers and contents, and all that follows."""
    segments: list[tuple[int, bytes]] = []
    position = 2
    while True:
        position = _find_marker(data, position)
        marker = data[position]
        if marker == _START_OF_SCAN:
            return segments, data[position - 1 :]
        position += 1
        if marker in _WITHOUT_LENGTH:
            continue
        end = position + int.from_bytes(data[position : position + 2])
        if marker == _END_OF_IMAGE or not position + 2 <= end <= len(data):
            raise damaged("jpeg")
        segments.append((marker, data[position + 2 : end]))
        position = end


def _find_marker(data: bytes, position: int) -> int:
    # Fill bytes FF before a marker are legal; other stray bytes between segments do no harm to the pixels.
    position = data.find(b"\xff", position)
    while 0 <= position < len(data) and data[position] == 0xFF:
        position += 1
    if not 0 <= position < len(data):
        raise damaged("jpeg")
    return position


def _metadata(segments: list[tuple[int, bytes]], marker: int, prefix: bytes) -> bytes:
    return next((s[len(prefix) :] for m, s in segments if m == marker and s.startswith(prefix)), b"")


def _without_metadata(segments: list[tuple[int, bytes]], scans: bytes) -> bytes:
    # Oddities in metadata, such as a JFIF version from the future, are warnings too and would refuse a whole image.
    kept = [
        bytes((0xFF, marker)) + (len(segment) + 2).to_bytes(2) + segment
        for marker, segment in segments
        if marker not in _METADATA
    ]
    return b"\xff\xd8" + b"".join(kept) + scans


def _check_scans(coded: bytes, component_ids: bytes) -> None:
    """Refuse a progressive file that ends between two scans: to libjpeg it is whole, only blurred."""
    missing = {(component, coefficient) for component in component_ids for coefficient in range(64)}
    for components, first, last in _final_scans(coded):
        missing -= {(component, coefficient) for component in components for coefficient in range(first, last + 1)}
    if missing:
        raise UndecodableImage("The JPEG file ends before its last scan. Send the complete file.")


def _final_scans(coded: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Give component ids, first and last coefficient of each scan that brings the last bit (T.81, section B.2.3)."""
    for found in _SCAN_HEADER.finditer(coded):
        header = coded[found.end() + 2 :][: 1 + 2 * 4 + 3]
        components = header[0] if header else 0
        ends = header[1 + 2 * components : 4 + 2 * components]
        if len(ends) == 3 and ends[2] & 0x0F == 0:
            yield header[1 : 1 + 2 * components : 2], ends[0], min(ends[1], 63)
