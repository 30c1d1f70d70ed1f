"""Image files made for tests."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode(pixels: NDArray[np.uint8], image_format: str = "png") -> bytes:
    """Store 8-bit pixels, shape ``[rows, columns]`` or ``[rows, columns, channels]``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **({"quality": 100} if image_format == "jpeg" else {}))
    return buffer.getvalue()


def grey(level: int, rows: int = 150, columns: int = 200) -> NDArray[np.uint8]:
    """A uniform image."""
    return np.full((rows, columns), level, np.uint8)


def encode_png(pixels: NDArray[np.integer], colour_type: int, bit_depth: int) -> bytes:
    """Store pixels as PNG of any colour type, written by hand so that it does not rest on the library under test."""
    rows, columns = pixels.shape[:2]
    dtype = ">u2" if bit_depth == 16 else "u1"
    scanlines = b"".join(b"\0" + row.astype(dtype).tobytes() for row in pixels)
    return png_file(columns, rows, bit_depth, colour_type, zlib.compress(scanlines))


def png_file(columns: int, rows: int, bit_depth: int, colour_type: int, compressed: bytes) -> bytes:
    """Assemble a PNG file from a header's values and compressed scanlines, whether they fit or not."""
    header = struct.pack(">IIBBBBB", columns, rows, bit_depth, colour_type, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", compressed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
