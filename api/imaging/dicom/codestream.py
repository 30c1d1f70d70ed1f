"""What compressed pixels say of themselves, read before a decoder allocates by it."""

import struct
from collections.abc import Container
from dataclasses import dataclass, field

from api.errors import UndecodableImage
from api.imaging.damage import damaged
from api.imaging.dicom.image_pixel import ImagePixel
from api.imaging.jpeg_scans import check_scans
from api.imaging.jpeg_stream import JpegHead, read_head, read_scans
from api.imaging.limits import check_one_frame

_JPEG_START, _JPEG_2000_START, _END = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd9"
_JP2_START, _JP2_CODESTREAM = b"\0\0\0\x0cjP  ", b"jp2c"
_PADDING = b"\0\xff"


@dataclass(frozen=True, slots=True)
class Codestream:
    """A codestream and what its header says. `process` is the marker of the JPEG frame header, 0 for JPEG 2000.

    `head` is what stands before the first scan of a JPEG or JPEG-LS codestream.
    """

    data: bytes
    process: int
    width: int
    height: int
    precision: int
    components: int
    head: JpegHead | None = field(default=None, compare=False, repr=False)


def read_jpeg(data: bytes, processes: Container[int]) -> Codestream:
    """Read the frame header of a JPEG (ITU-T T.81, section B.2.2) or JPEG-LS (T.87, section C.2.2) codestream.

    Parameters
    ----------
    data
        The codestream, which may be padded.
    processes
        Markers of the frame headers that it may have.

    Raises
    ------
    UndecodableImage
        There is none of them, or the codestream is not whole.
    """
    if not data.startswith(_JPEG_START):
        raise damaged("dicom")
    data = _up_to_its_end(data)
    head = read_head(data, "dicom")
    frame = head.frame
    if frame.process not in processes:
        raise UndecodableImage(
            "The compressed image must be of the process that the DICOM transfer syntax names. "
            f"Received: a JPEG frame header {frame.process:02X}. Send it in the transfer syntax that it has."
        )
    return Codestream(data, frame.process, frame.width, frame.height, frame.precision, len(frame.components), head)


def read_jpeg_2000(data: bytes) -> Codestream:
    """Read the size of a JPEG 2000 codestream (ITU-T T.800, section A.5.1), which may be wrapped in a JP2 file.

    Raises
    ------
    UndecodableImage
        There is none, or the codestream is not whole, or its components differ.
    """
    start = _codestream_of_jp2(data) if data.startswith(_JP2_START) else 0
    data = _up_to_its_end(data)
    if not data.startswith(_JPEG_2000_START, start) or len(data) < start + 42:
        raise damaged("dicom")
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    (components,) = struct.unpack_from(">H", data, start + 40)
    kinds = {data[at : at + 3] for at in range(start + 42, start + 42 + 3 * components, 3)}
    if len(kinds) != 1 or min(kinds)[1:] != b"\x01\x01":
        raise UndecodableImage(
            "The components of a JPEG 2000 image must be alike and not subsampled. Received: others."
        )
    return Codestream(data, 0, right - left, bottom - top, (min(kinds)[0] & 0x7F) + 1, components)


def check_fits(codestream: Codestream, image: ImagePixel) -> None:
    """Hold a codestream against the header.

    Raises
    ------
    UndecodableImage
        They tell of different images, or the scans of a JPEG codestream are not those of one whole image.
    """
    size = codestream.height, codestream.width, codestream.components
    if size != (image.rows, image.columns, image.samples_per_pixel):
        raise UndecodableImage(
            "The compressed image must have the Rows, Columns and Samples per Pixel of the DICOM header. "
            f"Received: {size} instead of {(image.rows, image.columns, image.samples_per_pixel)}."
        )
    if codestream.precision > image.bits_allocated:
        raise UndecodableImage(
            f"The compressed image must have at most the {image.bits_allocated} Bits Allocated of the DICOM header. "
            f"Received: {codestream.precision}."
        )
    if codestream.head is not None:
        _check_jpeg_scans(codestream.data, codestream.head)


def _check_jpeg_scans(data: bytes, head: JpegHead) -> None:
    scans, end = read_scans(data, head, "dicom")
    check_one_frame(data.startswith(_JPEG_START, end))
    if end != len(data):
        raise damaged("dicom")
    check_scans(head.frame, scans, "dicom")


def _codestream_of_jp2(data: bytes) -> int:
    """Find the contiguous codestream box (ITU-T T.800, section I.4)."""
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == _JP2_CODESTREAM:
            return position + 8
        if length < 8:
            break
        position += length
    raise damaged("dicom")


def _up_to_its_end(data: bytes) -> bytes:
    """Cut what pads the codestream; without its last marker, it is truncated."""
    end = data.rfind(_END) + len(_END)
    if end < len(_END) or data[end:].strip(_PADDING):
        raise damaged("dicom")
    return data[:end]
