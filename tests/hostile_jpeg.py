"""JPEG streams made to use up memory or time, and costly ones that keep within every limit."""

from collections.abc import Callable, Mapping

from tests.jpeg_bytes import (
    BASELINE,
    END,
    EXTENDED,
    LOSSLESS,
    progressive,
    scan,
    segment,
    sequential,
)

MIB = 2**20
SIDE = 6944  # 48 million pixels
COLOUR_SIDE = 4080  # of three samples each, as many
COLOURS = [(1,), (2,), (3,)]


def _with_empty_scans(process: int, precision: int, count: int) -> bytes:
    ends = (1, 0, 0) if process == LOSSLESS else (0, 63, 0)
    return sequential(process, precision, SIDE)[:-2] + scan((1,), *ends) * count + END


def _stuffed(stuffing: bytes) -> bytes:
    """Put 30 MiB of something before the first segment."""
    data = sequential(BASELINE, 8, 64)
    return data[:2] + stuffing * (30 * MIB // len(stuffing)) + data[2:]


# Sides and streams: what a DICOM file may hold as JPEG of a process that is not progressive.
HOSTILE_SEQUENTIAL: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "50 empty scans": (SIDE, lambda: _with_empty_scans(EXTENDED, 12, 50)),
    "a million empty scans": (SIDE, lambda: _with_empty_scans(EXTENDED, 12, 10**6)),
    "seven million empty segments": (64, lambda: _stuffed(segment(0xFE))),
}
HOSTILE_LOSSLESS: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "50 empty scans, lossless": (SIDE, lambda: _with_empty_scans(LOSSLESS, 16, 50)),
    "a million empty scans, lossless": (SIDE, lambda: _with_empty_scans(LOSSLESS, 16, 10**6)),
}
HOSTILE_JPEG: Mapping[str, Callable[[], bytes]] = {
    "3000 progressive scans": lambda: progressive(SIDE, repeated=3000),
    "36 progressive scans again": lambda: progressive(SIDE, repeated=36),
    "50 empty scans": lambda: _with_empty_scans(BASELINE, 8, 50),
    "seven million empty segments": lambda: _stuffed(segment(0xFE)),
}
COSTLY_JPEG: Mapping[str, Callable[[], bytes]] = {
    "100 progressive scans": lambda: progressive(SIDE, twice=36),
    "30 MiB of fill bytes": lambda: _stuffed(b"\xff"),
    "30 MiB of restart markers": lambda: _stuffed(b"\xff\xd0"),
    "990 segments of 32 KiB": lambda: (
        sequential(BASELINE, 8, 64)[:2] + segment(0xFE, bytes(32_000)) * 990 + sequential(BASELINE, 8, 64)[2:]
    ),
}
COSTLY_SEQUENTIAL: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "one scan": (SIDE, lambda: sequential(EXTENDED, 12, SIDE)),
    "one scan of 8 bits": (SIDE, lambda: sequential(EXTENDED, 8, SIDE)),
    "30 MiB of fill bytes": (64, lambda: _stuffed(b"\xff")),
}
COSTLY_LOSSLESS: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "one scan, lossless": (SIDE, lambda: sequential(LOSSLESS, 16, SIDE)),
}
COSTLY_COLOURS: Mapping[str, Callable[[], bytes]] = {
    "three scans": lambda: sequential(EXTENDED, 12, COLOUR_SIDE, scans=COLOURS, components=3),
}
