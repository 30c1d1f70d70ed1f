"""PNG files (W3C PNG, second edition): the container. What the samples mean is told in `png_samples`.

The decoders underneath take a stream with too few rows for a whole image, so the rows are counted here.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from api.errors import UndecodableImage
from api.imaging.damage import damaged, refusing_damage
from api.imaging.exif import read_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_COMPRESSED_STEP, _INFLATED_STEP = 1 << 16, 1 << 20

Chunks = dict[bytes, list[memoryview]]


class ColourType(IntEnum):
    """Colour types (section 6.1)."""

    GREY = 0
    RGB = 2
    PALETTE = 3
    GREY_ALPHA = 4
    RGBA = 6


CHANNELS = {
    ColourType.GREY: 1,
    ColourType.RGB: 3,
    ColourType.PALETTE: 1,
    ColourType.GREY_ALPHA: 2,
    ColourType.RGBA: 4,
}
_DEPTHS = {
    ColourType.GREY: (1, 2, 4, 8, 16),
    ColourType.RGB: (8, 16),
    ColourType.PALETTE: (1, 2, 4, 8),
    ColourType.GREY_ALPHA: (8, 16),
    ColourType.RGBA: (8, 16),
}


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What the chunk IHDR says (section 11.2.2)."""

    width: int
    height: int
    bit_depth: int
    colour_type: ColourType
    interlaced: bool


@dataclass(frozen=True, slots=True)
class PngFile:
    """A file whose chunks are whole. `bare` is the file without metadata and transparency, for the decoders.

    None of the metadata touches the pixels, and much of it they would parse, inflate or log. `palette` and
    `transparency` are the contents of PLTE and tRNS; `orientation` is that of EXIF, 1 to 8.
    """

    header: PngHeader
    palette: bytes
    transparency: bytes
    orientation: int
    several_frames: bool
    bare: bytes


def read_header(data: bytes) -> PngHeader:
    """Read IHDR, which must be the first chunk.

    Raises
    ------
    UndecodableImage
        It is missing, or holds values that the standard does not know.
    """
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        raise damaged("png")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise damaged("png")
    return PngHeader(width, height, depth, ColourType(colour), bool(interlace))


def read_file(data: bytes, header: PngHeader) -> PngFile:
    """Read the chunks and hold them against the header.

    Raises
    ------
    UndecodableImage
        The file is truncated or corrupt.
    """
    chunks = _read_chunks(data)
    _check_rows(header, chunks[b"IDAT"])
    palette, transparency, exif = (b"".join(chunks[kind][:1]) for kind in (b"PLTE", b"tRNS", b"eXIf"))
    if header.colour_type is ColourType.PALETTE and (len(palette) % 3 or not 3 <= len(palette) <= 768):
        raise damaged("png")
    return PngFile(
        header=header,
        palette=palette,
        transparency=transparency,
        orientation=read_orientation(exif.removeprefix(b"Exif\0\0")),
        several_frames=b"fdAT" in chunks,
        bare=_bare_file(header, palette, chunks[b"IDAT"]),
    )


def _read_chunks(data: bytes) -> Chunks:
    """Collect the contents of each kind of chunk up to IEND, whose check sums must all be right."""
    chunks: Chunks = defaultdict(list)
    view = memoryview(data)
    position = len(SIGNATURE)
    while b"IEND" not in chunks:
        kind, contents, position = _read_chunk(view, position)
        chunks[kind].append(contents)
    return chunks


def _read_chunk(view: memoryview, position: int) -> tuple[bytes, memoryview, int]:
    start = position + 8
    end = start + int.from_bytes(view[position : position + 4])
    check_sum = view[end : end + 4]
    if len(check_sum) < 4 or int.from_bytes(check_sum) != zlib.crc32(view[position + 4 : end]):
        raise damaged("png")
    return bytes(view[position + 4 : start]), view[start:end], end + 4


def _check_rows(header: PngHeader, compressed: list[memoryview]) -> None:
    wanted = _scanline_bytes(header)
    inflated = 0
    with refusing_damage("png"):
        for length in _inflated_lengths(compressed):
            inflated += length
            if inflated >= wanted:
                return
    raise UndecodableImage("The PNG file holds fewer rows than its header claims. Send the complete file.")


def _scanline_bytes(header: PngHeader) -> int:
    """Bytes of all scanlines with their filter types (sections 7.2 and 8.2)."""
    bits = CHANNELS[header.colour_type] * header.bit_depth
    total = 0
    for left, top, across, down in _ADAM7 if header.interlaced else _WHOLE:
        columns, rows = len(range(left, header.width, across)), len(range(top, header.height, down))
        total += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return total


def _inflated_lengths(compressed: list[memoryview]) -> Iterator[int]:
    """Inflate in bounded steps and keep only the lengths."""
    inflater = zlib.decompressobj()
    for contents in compressed:
        for start in range(0, len(contents), _COMPRESSED_STEP):
            waiting: bytes | memoryview = contents[start : start + _COMPRESSED_STEP]
            while waiting and not inflater.eof:
                yield len(inflater.decompress(waiting, _INFLATED_STEP))
                waiting = inflater.unconsumed_tail
    yield len(inflater.flush())


def _bare_file(header: PngHeader, palette: bytes, compressed: list[memoryview]) -> bytes:
    size_and_type = header.width, header.height, header.bit_depth, header.colour_type, 0, 0, header.interlaced
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", *size_and_type)), (b"IDAT", b"".join(compressed)), (b"IEND", b"")]
    if header.colour_type is ColourType.PALETTE:
        chunks.insert(1, (b"PLTE", palette))
    return SIGNATURE + b"".join(part for kind, contents in chunks for part in _chunk_parts(kind, contents))


def _chunk_parts(kind: bytes, contents: bytes) -> tuple[bytes, ...]:
    check_sum = zlib.crc32(contents, zlib.crc32(kind))
    return struct.pack(">I", len(contents)), kind, contents, struct.pack(">I", check_sum)
