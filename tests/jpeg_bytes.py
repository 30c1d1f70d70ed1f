"""JPEG streams put together from their segments (ITU-T T.81, annex B), for images of one grey level."""

import struct
from collections.abc import Iterable, Sequence

START, END = b"\xff\xd8", b"\xff\xd9"
BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS = 0xC0, 0xC1, 0xC2, 0xC3


def segment(marker: int, content: bytes = b"") -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def frame(process: int, precision: int, side: int, components: int = 1) -> bytes:
    """Write the header of a square frame whose components are numbered from 1 and not subsampled."""
    parts = b"".join(bytes((number, 0x11, 0)) for number in range(1, components + 1))
    return segment(process, struct.pack(">BHHB", precision, side, side, components) + parts)


def tables(precision: int) -> bytes:
    """Write tables whose only code, one bit 0, stands for no difference, and for the end of a block or of 16384."""
    ones = b"\x10" + b"\0\1" * 64 if precision > 8 else b"\0" + b"\1" * 64
    code = bytes([1] + [0] * 15)
    return segment(0xDB, ones) + segment(0xC4, b"\0" + code + b"\0") + segment(0xC4, b"\x10" + code + b"\0")


def scan(components: Iterable[int], first: int, last: int, bits: int, coded: bytes = b"") -> bytes:
    numbers = tuple(components)
    chosen = b"".join(bytes((number, 0)) for number in numbers)
    return segment(0xDA, bytes((len(numbers),)) + chosen + bytes((first, last, bits))) + coded


def least_coded(process: int, side: int) -> bytes:
    """Give the least that a component of one grey level takes: a bit for a sample, two for a block."""
    bits = side * side if process == LOSSLESS else 2 * (-(-side // 8)) ** 2
    return bytes(-(-bits // 8))


def sequential(
    process: int, precision: int, side: int, *, scans: Sequence[Sequence[int]] = ((1,),), components: int = 1
) -> bytes:
    """Write an image whose scans hold these components each, with all the data that they need."""
    ends = (1, 0, 0) if process == LOSSLESS else (0, 63, 0)
    coded = [least_coded(process, side) * len(numbers) for numbers in scans]
    written = [scan(numbers, *ends, data) for numbers, data in zip(scans, coded, strict=True)]
    return START + tables(precision) + frame(process, precision, side, components) + b"".join(written) + END


def progressive(side: int, *, twice: int = 0, repeated: int = 0) -> bytes:
    """Write a grey image of 8 bits in 64 scans, one for each coefficient, and one more for each bit sent on its own.

    Parameters
    ----------
    side
        Height and width.
    twice
        How many coefficients are sent in two scans, the last bit in the second one.
    repeated
        How often the last scan is repeated, which the standard does not allow.
    """
    blocks = (-(-side // 8)) ** 2
    runs = segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\0")
    head = START + tables(8) + runs + frame(PROGRESSIVE, 8, side)
    first = scan((1,), 0, 0, 0, bytes(-(-blocks // 8)))
    bits = [(k, bit) for k in range(1, 64) for bit in ((0x01, 0x10) if k <= twice else (0x00,))]
    others = [scan((1,), k, k, bit, _end_of(blocks)) for k, bit in bits]
    return head + first + b"".join(others) + others[-1] * repeated + END


def _end_of(blocks: int) -> bytes:
    """Code the end of so many blocks: 0 and 14 bits for 16384 to 32767 of them, 10 for one."""
    bits = ""
    while blocks >= 1 << 14:
        run = min(blocks, (1 << 15) - 1)
        bits += f"0{run - (1 << 14):014b}"
        blocks -= run
    bits += "10" * blocks
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")
