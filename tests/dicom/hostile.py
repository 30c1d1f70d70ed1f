"""DICOM files made to use up memory, time or stack: one small thing, as often as an upload allows.

`COSTLY` are such that keep within every limit and are read.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import partial

import imagecodecs
import numpy as np
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom.elements import LEVELS, body, element, file_with, implicit_body, with_frame
from tests.dicom.files import dataset
from tests.dicom.malformed import TOO_LARGE, Malformed
from tests.hostile_jpeg import (
    COLOUR_SIDE,
    COSTLY_COLOURS,
    COSTLY_LOSSLESS,
    COSTLY_SEQUENTIAL,
    HOSTILE_LOSSLESS,
    HOSTILE_SEQUENTIAL,
)

MIB = 2**20


def _nested(levels: int, undefined: bool) -> bytes:
    """Nest a sequence in itself."""
    if undefined:
        return (element(0x0040, 0xA730, "SQ", b"", 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)) * levels
    heads = bytearray()
    for level in range(levels):
        rest = 20 * (levels - level - 1)
        heads += element(0x0040, 0xA730, "SQ", b"", rest + 8) + struct.pack("<HHI", 0xFFFE, 0xE000, rest)
    return bytes(heads)


def _nested_in_a_radiograph(levels: int, undefined: bool) -> Callable[[], bytes]:
    return lambda: file_with(_nested(levels, undefined) + body(dataset(LEVELS)))


def _tiny_elements(count: int) -> bytes:
    """Write empty elements, each of its own tag, in Implicit VR Little Endian."""
    tags = np.arange(count, dtype=np.uint32) + (0x0041 << 16)
    rows = np.zeros((count, 4), "<u2")
    rows[:, 0], rows[:, 1] = tags >> 16, tags & 0xFFFF
    return rows.tobytes()


def _many_items(count: int) -> bytes:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count
    return element(0x0040, 0xA730, "SQ", items) + body(dataset(LEVELS))


def _many_fragments(count: int) -> bytes:
    made = dataset(LEVELS, PixelData=b"")
    fragments = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    whole = body(made)
    start = whole.rindex(b"\xe0\x7f\x10\x00")
    return whole[:start] + element(0x7FE0, 0x0010, "OB", b"", 2**32 - 1) + fragments


def _deflated(mebibytes: int) -> bytes:
    """Deflate a radiograph that is followed by so many zeros; these come to a thousandth of it."""
    compressor = zlib.compressobj(9, wbits=-15)
    sound = body(dataset(LEVELS)) + element(0x7FE1, 0x0010, "OB", b"", mebibytes * MIB)
    head = compressor.compress(sound) + compressor.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block refers to nothing before it, so that it can be repeated.
    zeros = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return head + zeros * mebibytes + compressor.flush()


def _run_lengths(count: int) -> bytes:
    """Write an RLE frame (PS3.5, annex G) that expands to 64 times its size."""
    return struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * count


def _deflated_private(mebibytes: int) -> bytes:
    """Deflate a radiograph behind a private value of so many zeros."""
    compressor = zlib.compressobj(9, wbits=-15)
    private = compressor.compress(element(0x0009, 0x1001, "OB", bytes(mebibytes * MIB)))
    return private + compressor.compress(body(dataset(LEVELS))) + compressor.flush()


_RED_GREEN_BLUE = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}


def _square(frame: bytes, syntax: UID, side: int, colour: bool = False) -> bytes:
    colours = _RED_GREEN_BLUE if colour else {}
    size = {"Rows": side, "Columns": side, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
    return with_frame(frame, syntax, **size, **colours)


def _colours(stream: Callable[[], bytes]) -> bytes:
    return _square(stream(), JPEGExtended12Bit, COLOUR_SIDE, colour=True)


def _squares(streams: Mapping[str, tuple[int, Callable[[], bytes]]], syntax: UID) -> dict[str, Callable[[], bytes]]:
    def made(side: int, stream: Callable[[], bytes]) -> Callable[[], bytes]:
        return lambda: _square(stream(), syntax, side)

    return {f"JPEG of {name}": made(*stream) for name, stream in streams.items()}


def _black(syntax: UID, side: int, colour: bool) -> Callable[[], bytes]:
    """Compress an image of zeros, which comes to a kilobyte or less."""

    def make() -> bytes:
        zeros = np.zeros((side, side, 3) if colour else (side, side), np.uint16)
        if syntax == JPEGLSLossless:
            return _square(bytes(imagecodecs.jpegls_encode(zeros)), syntax, side, colour)
        frame = imagecodecs.jpeg2k_encode(zeros, level=0, reversible=True, codecformat="J2K")
        return _square(bytes(frame), syntax, side, colour)

    return make


HOSTILE: Mapping[str, Malformed] = {
    "a deflate bomb of 2 GiB": Malformed(lambda: file_with(_deflated(2048), DeflatedExplicitVRLittleEndian)),
    "an RLE bomb of 1 GiB": Malformed(lambda: with_frame(_run_lengths(8 * MIB), RLELossless)),
    "sequences 1000 deep": Malformed(_nested_in_a_radiograph(1000, undefined=False)),
    "sequences 1000 deep, without length": Malformed(_nested_in_a_radiograph(1000, undefined=True)),
    "sequences a million deep": Malformed(_nested_in_a_radiograph(10**6, undefined=False)),
    "sequences a million deep, without length": Malformed(_nested_in_a_radiograph(10**6, undefined=True)),
    "three million elements": Malformed(
        lambda: file_with(_tiny_elements(3 * 10**6) + implicit_body(), ImplicitVRLittleEndian)
    ),
    "three million items": Malformed(lambda: file_with(_many_items(3 * 10**6))),
    "three million fragments": Malformed(lambda: file_with(_many_fragments(3 * 10**6), RLELossless)),
    "a private value of 190 MiB, deflated": Malformed(
        lambda: file_with(_deflated_private(190), DeflatedExplicitVRLittleEndian)
    ),
    **{
        f"7000 x 7000 in colour, {syntax.name}": Malformed(_black(syntax, 7000, colour=True), TOO_LARGE)
        for syntax in (JPEG2000Lossless, JPEGLSLossless)
    },
    **{name: Malformed(make) for name, make in _squares(HOSTILE_SEQUENTIAL, JPEGExtended12Bit).items()},
    **{name: Malformed(make) for name, make in _squares(HOSTILE_LOSSLESS, JPEGLossless).items()},
}  # fmt: skip
COSTLY: Mapping[str, Callable[[], bytes]] = {
    "a private value of 90 MiB, deflated": lambda: file_with(_deflated_private(90), DeflatedExplicitVRLittleEndian),
    **{
        f"{side} x {side}{' in colour' * colour}, {syntax.name}": _black(syntax, side, colour)
        for syntax in (JPEG2000Lossless, JPEGLSLossless)
        for side, colour in ((7000, False), (COLOUR_SIDE, True))
    },
    **_squares(COSTLY_SEQUENTIAL, JPEGExtended12Bit),
    **_squares(COSTLY_LOSSLESS, JPEGLossless),
    **{f"JPEG of {name}": partial(_colours, make) for name, make in COSTLY_COLOURS.items()},
}
