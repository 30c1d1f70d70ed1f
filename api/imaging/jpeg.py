"""JPEG files (ITU-T T.81), decoded by libjpeg-turbo with every warning an error.

Pillow swallows libjpeg's warnings, among them "premature end of data", and would hand on a half-decoded image.
"""

from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from api.errors import UndecodableImage
from api.imaging.damage import refusing_damage
from api.imaging.exif import read_integer, read_orientation
from api.imaging.jpeg_scans import check_scans
from api.imaging.jpeg_stream import BASELINE, EXTENDED, PROGRESSIVE, JpegHead, read_head, read_scans

_PROCESSES = (BASELINE, EXTENDED, PROGRESSIVE)
_EXIF, _MULTI_PICTURE, _ADOBE = 0xE1, 0xE2, 0xEE
# Adobe's marker stays: it names the colour space.
_METADATA = (frozenset(range(0xE0, 0xF0)) - {_ADOBE}) | {0xFE}
_NUMBER_OF_IMAGES = 0xB001  # CIPA DC-007, section 5.2.3.2


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG file of which only what stands before the first scan has been read."""

    data: bytes
    head: JpegHead
    orientation: int
    several_frames: bool

    def read_pixels(self) -> NDArray[np.uint8]:
        """Decode to grey levels, shape ``[height, width]``, as stored: not turned upright.

        Raises
        ------
        UndecodableImage
            The file is truncated or corrupt, or of another process.
        """
        frame = self.head.frame
        if frame.process not in _PROCESSES or frame.precision != 8:
            raise UndecodableImage(
                "The JPEG file must be baseline, extended or progressive, with Huffman codes and 8 bits. "
                f"Received: frame header {frame.process:02X}, {frame.precision} bits."
            )
        scans, end = read_scans(self.data, self.head, "jpeg")
        check_scans(frame, scans, "jpeg")
        return decode_8_bits(without_metadata(self.data[:end], self.head))


def open_jpeg(data: bytes) -> JpegFile:
    """Read what a JPEG file says of itself before its first scan.

    Raises
    ------
    UndecodableImage
        That is not whole.
    """
    head = read_head(data, "jpeg")
    return JpegFile(
        data=data,
        head=head,
        orientation=read_orientation(_metadata(head, _EXIF, b"Exif\0\0")),
        several_frames=(read_integer(_metadata(head, _MULTI_PICTURE, b"MPF\0"), _NUMBER_OF_IMAGES) or 1) > 1,
    )


def without_metadata(data: bytes, head: JpegHead) -> bytes:
    """Give a stream without its metadata.

    Oddities in them, such as a JFIF version from the future, are warnings too and would refuse a whole image.
    """
    kept = [
        bytes((0xFF, marker)) + (len(segment) + 2).to_bytes(2) + segment
        for marker, segment in head.segments
        if marker not in _METADATA
    ]
    return b"\xff\xd8" + b"".join(kept) + data[head.scans_start :]


def decode_8_bits(coded: bytes) -> NDArray[np.uint8]:
    """Decode a stream of 8 bits to grey levels, shape ``[height, width]``; its scans have been checked.

    Raises
    ------
    UndecodableImage
        It is truncated or corrupt.
    """
    pixels: NDArray[np.uint8]
    with refusing_damage("jpeg"):
        pixels = simplejpeg.decode_jpeg(coded, colorspace="GRAY", strict=True)[..., 0]
    return pixels


def _metadata(head: JpegHead, marker: int, prefix: bytes) -> bytes:
    return next((s[len(prefix) :] for m, s in head.segments if m == marker and s.startswith(prefix)), b"")
