"""DICOM files that are damaged or of a kind that is not read, and what each has to be answered with."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom.elements import LEVELS, body, element, file_with, frame_of, tagged, with_frame
from tests.dicom.files import Storage, dataset, radiograph_file, written
from tests.jpeg_bytes import LOSSLESS, progressive, sequential

COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGBaseline8Bit)

TOO_LARGE = (413, "image-too-large")
UNSUPPORTED = (415, "unsupported-media-type")
UNDECODABLE = (422, "undecodable-image")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A file to make, and the status and problem type of its answer."""

    make: Callable[[], bytes]
    answer: tuple[int, str] = UNDECODABLE


def _rewritten(old: bytes, new: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        file = radiograph_file(LEVELS, Storage(12))
        assert file.count(old) == 1
        return file.replace(old, new)

    return make


def _half_a_frame(syntax: UID) -> bytes:
    frame = frame_of(syntax)
    return with_frame(frame[: len(frame) // 2], syntax)


def _mislabelled(syntax: UID) -> bytes:
    return with_frame(frame_of(syntax), JPEG2000Lossless)


def _in_syntax(uid: str) -> bytes:
    return file_with(body(dataset(LEVELS)), uid)


def _claiming(syntax: UID, rows: int, columns: int) -> Callable[[], bytes]:
    """Make a radiograph of which only the codestream claims to be large."""
    size = {
        JPEGBaseline8Bit: (b"\xff\xc0", 5, ">HH", (rows, columns)),
        JPEGLSLossless: (b"\xff\xf7", 5, ">HH", (rows, columns)),
        JPEG2000Lossless: (b"\xff\x51", 6, ">II", (columns, rows)),
    }

    def make() -> bytes:
        marker, offset, form, values = size[syntax]
        frame = bytearray(frame_of(syntax))
        struct.pack_into(form, frame, frame.index(marker) + offset, *values)
        return with_frame(bytes(frame), syntax)

    return make


def _lossless_jpeg_claiming(rows: int, columns: int) -> bytes:
    """Make the head of a lossless JPEG stream (ITU-T T.81, process 14) that is followed by nothing."""
    head = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHBBBB", 11, 16, rows, columns, 1, 1, 0x11, 0)
    tables = b"\xff\xc4" + struct.pack(">HB", 19 + 1, 0) + bytes([1] + [0] * 15) + b"\0"
    return head + tables + b"\xff\xda\0\x08\1\1\0\1\0\0" + bytes(1000) + b"\xff\xd9"


def _two_frames() -> bytes:
    made = dataset(LEVELS, Storage(8), PixelData=encapsulate([frame_of(JPEGLSLossless)] * 2))
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    return written(made)


def _without_meta() -> bytes:
    return bytes(128) + b"DICM" + body(dataset(LEVELS))


_SIZE = {"Rows": 60000, "Columns": 60000}
_STRUCTURE: Mapping[str, Malformed] = {
    "nothing but a preamble": Malformed(lambda: bytes(128) + b"DICM"),
    "nothing but a file header": Malformed(lambda: file_with(b"")),
    "no file header": Malformed(_without_meta),
    "no preamble": Malformed(lambda: radiograph_file(LEVELS)[128:], UNSUPPORTED),
    "elements alone": Malformed(lambda: body(dataset(LEVELS)), UNSUPPORTED),
    "text after the preamble": Malformed(lambda: bytes(128) + b"DICM" + b"this is no DICOM file" * 20),
    "zeros after the preamble": Malformed(lambda: bytes(128) + b"DICM" + bytes(5000)),
    "ones after the preamble": Malformed(lambda: bytes(128) + b"DICM" + b"\xff" * 5000),
    "elements said to be deflated": Malformed(lambda: file_with(body(dataset(LEVELS)), DeflatedExplicitVRLittleEndian)),
    "an element longer than the file": Malformed(
        lambda: file_with(element(0x0008, 0x0060, "OB", b"DX", 2**31) + body(dataset(LEVELS)))
    ),
    "pixels longer than the file": Malformed(
        lambda: file_with(body(dataset(LEVELS, PixelData=None)) + element(0x7FE0, 0x0010, "OW", b"\0" * 99, 10**9))
    ),
    "pixels of undefined length that never end": Malformed(
        lambda: file_with(body(dataset(LEVELS, PixelData=None)) + element(0x7FE0, 0x0010, "OW", bytes(999), 2**32 - 1))
    ),
    "a sequence of undefined length that never ends": Malformed(
        lambda: file_with(body(dataset(LEVELS, PixelData=None)) + element(0x0040, 0xA730, "SQ", b"", 2**32 - 1))
    ),
}  # fmt: skip
_PIXELS: Mapping[str, Malformed] = {
    "no pixels": Malformed(tagged(PixelData=None)),
    "empty pixels": Malformed(tagged(PixelData=b"")),
    "too few pixels": Malformed(tagged(PixelData=bytes(47 * 61))),
    "several frames": Malformed(tagged(NumberOfFrames="2", PixelData=bytes(47 * 61 * 4))),
    "several frames, not counted": Malformed(tagged(NumberOfFrames=None, PixelData=bytes(47 * 61 * 4))),
    "several frames, one there": Malformed(tagged(NumberOfFrames="2")),
    "several frames, compressed and not counted": Malformed(_two_frames),
    "several frames, compressed": Malformed(
        lambda: with_frame(frame_of(JPEGLSLossless), JPEGLSLossless, NumberOfFrames="3")
    ),
    "60000 x 60000": Malformed(tagged(**_SIZE), TOO_LARGE),
    "60000 x 60000, compressed": Malformed(
        lambda: with_frame(frame_of(JPEG2000Lossless), JPEG2000Lossless, **_SIZE), TOO_LARGE
    ),
    "60000 x 60000, no pixels": Malformed(tagged(**_SIZE, PixelData=None), TOO_LARGE),
    **{f"no {keyword}": Malformed(tagged(**{keyword: None})) for keyword in ("Rows", "Columns", "BitsAllocated")},
    "no height": Malformed(tagged(Rows=0)),
    "no width": Malformed(tagged(Columns=0)),
    "1 bit allocated": Malformed(tagged(BitsAllocated=1, BitsStored=1, HighBit=0)),
    "64 bits allocated": Malformed(tagged(BitsAllocated=64)),
    "13 bits allocated": Malformed(tagged(BitsAllocated=13)),
    "no bits stored": Malformed(tagged(BitsStored=0)),
    "more bits stored than allocated": Malformed(tagged(BitsStored=40)),
    "five samples": Malformed(tagged(SamplesPerPixel=5)),
    "no samples": Malformed(tagged(SamplesPerPixel=0)),
    "three samples of one": Malformed(tagged(SamplesPerPixel=3)),
    "a photometric interpretation of its own": Malformed(_rewritten(b"MONOCHROME2 ", b"DOE^JANE    ")),
    "a palette that is not there": Malformed(tagged(PhotometricInterpretation="PALETTE COLOR")),
    "floats": Malformed(tagged(PixelData=None, FloatPixelData=bytes(4 * 47 * 61))),
    "frames counted in words": Malformed(
        lambda: file_with(element(0x0028, 0x0008, "IS", b"DOE^JANE") + body(dataset(LEVELS)))
    ),
    "a height in words": Malformed(_rewritten(b"\x28\0\x10\0US\2\0\x2f\0", b"\x28\0\x10\0LO\x08\0DOE^JANE")),
    "a height of one byte": Malformed(_rewritten(b"\x28\0\x10\0US\2\0\x2f\0", b"\x28\0\x10\0US\1\0\x2f")),
    "a height as a sequence": Malformed(_rewritten(b"\x28\0\x10\0US\2\0\x2f\0", b"\x28\0\x10\0SQ\0\0\0\0\0\0")),
}  # fmt: skip
_COMPRESSED: Mapping[str, Malformed] = {
    **{
        f"half a frame of {syntax.name}": Malformed(
            partial(_half_a_frame, syntax)
        )
        for syntax in COMPRESSED
    },
    **{
        f"noise as {syntax.name}": Malformed(partial(with_frame, b"DOE^JANE" * 99, syntax))
        for syntax in (*COMPRESSED, JPEG2000, JPEGExtended12Bit, JPEGLosslessSV1)
    },
    **{
        f"a frame of {syntax.name} said to be JPEG 2000": Malformed(
            partial(_mislabelled, syntax)
        )
        for syntax in (RLELossless, JPEGLSLossless)
    },
    **{
        f"a frame of {rows} x {columns} in {syntax.name}": Malformed(_claiming(syntax, rows, columns))
        for syntax in (JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless)
        for rows, columns in ((60000, 60000), (48, 61))
    },
    "a frame of 60000 x 60000 in JPEG Lossless": Malformed(
        lambda: with_frame(_lossless_jpeg_claiming(60000, 60000), JPEGLosslessSV1)
    ),
    "a frame without coded data in JPEG Lossless": Malformed(
        lambda: with_frame(_lossless_jpeg_claiming(47, 61).replace(bytes(1000), b""), JPEGLosslessSV1)
    ),
    "a progressive frame in JPEG": Malformed(
        lambda: with_frame(progressive(32), JPEGExtended12Bit, Rows=32, Columns=32)
    ),
    "a lossless frame in JPEG": Malformed(
        lambda: with_frame(sequential(LOSSLESS, 8, 32), JPEGExtended12Bit, Rows=32, Columns=32)
    ),
}  # fmt: skip
_SYNTAXES: Mapping[str, Malformed] = {
    name: Malformed(partial(_in_syntax, uid), UNSUPPORTED)
    for name, uid in {
        "an unknown transfer syntax": "1.2.3.4.5",
        "JPEG XL": "1.2.840.10008.1.2.4.112",
        "MPEG-2": "1.2.840.10008.1.2.4.100",
        "HEVC": "1.2.840.10008.1.2.4.107",
        "JPIP": "1.2.840.10008.1.2.4.94",
        "a hierarchical JPEG": "1.2.840.10008.1.2.4.55",
    }.items()
}  # fmt: skip


MALFORMED: Mapping[str, Malformed] = {**_STRUCTURE, **_PIXELS, **_COMPRESSED, **_SYNTAXES}
