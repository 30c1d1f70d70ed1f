"""Image files made for tests."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def encode(pixels: NDArray[np.uint8], image_format: str = "png") -> bytes:
    """Store 8-bit pixels, shape ``[rows, columns]`` or ``[rows, columns, channels]``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **({"quality": 100} if image_format == "jpeg" else {}))
    return buffer.getvalue()


def grey(level: int, rows: int = 150, columns: int = 200) -> NDArray[np.uint8]:
    """A uniform image."""
    return np.full((rows, columns), level, np.uint8)


def encode_png(
    pixels: NDArray[np.integer],
    colour_type: int,
    bit_depth: int,
    *ancillary: tuple[bytes, bytes],
    interlaced: bool = False,
) -> bytes:
    """Store pixels as PNG of any colour type, written by hand so that it does not rest on the library under test."""
    rows, columns = pixels.shape[:2]
    compressed = zlib.compress(scanlines(pixels, bit_depth, interlaced))
    return png_file(columns, rows, bit_depth, colour_type, compressed, *ancillary, interlaced=interlaced)


def scanlines(pixels: NDArray[np.integer], bit_depth: int, interlaced: bool = False) -> bytes:
    """Unfiltered scanlines of pixels, shape ``[rows, columns]`` or ``[rows, columns, channels]``."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [pixels[top::down, left::across] for left, top, across, down in passes]
    return b"".join(b"\0" + _packed(row, bit_depth) for part in parts if part.size for row in part)


def _packed(row: NDArray[np.integer], bit_depth: int) -> bytes:
    if bit_depth >= 8:
        return row.astype(">u2" if bit_depth == 16 else "u1").tobytes()
    bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, -bit_depth:]
    return np.packbits(bits).tobytes()


def png_file(
    columns: int,
    rows: int,
    bit_depth: int,
    colour_type: int,
    compressed: bytes,
    *ancillary: tuple[bytes, bytes],
    interlaced: bool = False,
) -> bytes:
    """Assemble a PNG file from a header's values and compressed scanlines, whether they fit or not."""
    header = struct.pack(">IIBBBBB", columns, rows, bit_depth, colour_type, 0, 0, interlaced)
    return png_of((b"IHDR", header), *ancillary, (b"IDAT", compressed), (b"IEND", b""))


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """Assemble a PNG file from chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
