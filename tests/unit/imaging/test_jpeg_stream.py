"""The structure of JPEG streams written by hand, and of those that encoders write."""

import imagecodecs
import numpy as np
import pytest

from api.errors import UndecodableImage
from api.imaging.jpeg_stream import MOST_SEGMENTS, Component, Frame, Scan, read_head, read_scans
from tests.images import encode
from tests.jpeg_bytes import BASELINE, END, EXTENDED, START, frame, scan, segment, sequential, tables

LEVELS = np.random.default_rng(2).integers(0, 256, (40, 56), dtype=np.uint8)
COLOURS = np.random.default_rng(2).integers(0, 256, (40, 56, 3), dtype=np.uint8)
CODED = b"\1\xff\0\2\xff\xd0\3\xff\xff\0\xff\x01\4"


def scans_of(data: bytes) -> tuple[Scan, ...]:
    scans, end = read_scans(data, read_head(data, "jpeg"), "jpeg")
    assert end == len(data)
    return scans


def test_headers_of_the_frame_and_its_scans_are_read() -> None:
    scans = scan((1,), 0, 5, 0x21, CODED) + tables(8) + scan((1, 2), 6, 63, 0x10)
    data = START + frame(EXTENDED, 12, 33, 2) + scans + END
    assert read_head(data, "jpeg").frame == Frame(EXTENDED, 12, 33, 33, (Component(1, 1, 1), Component(2, 1, 1)))
    assert scans_of(data) == (Scan((1,), 0, 5, 1, len(CODED)), Scan((1, 2), 6, 63, 0, 0))


def test_streams_of_encoders_are_read() -> None:
    baseline = encode(COLOURS, "jpeg")
    assert read_head(baseline, "jpeg").frame.components[1:] == (Component(2, 1, 1), Component(3, 1, 1))
    assert [(each.components, each.first, each.last) for each in scans_of(baseline)] == [((1, 2, 3), 0, 63)]
    near = bytes(imagecodecs.jpegls_encode(LEVELS))
    assert (read_head(near, "jpeg").frame.process, len(scans_of(near))) == (0xF7, 1)
    # JPEG-LS stuffs one bit, so that FF is followed by other bytes than 00 as well.
    assert any(near[i] == 0xFF and 0 < near[i + 1] < 0x80 for i in range(30, len(near) - 2))


@pytest.mark.parametrize("stuffing", [b"\xff" * 50, b"stray", b"\xff\0", b"\xff\xd3", b"\xff\x01"])
def test_what_stands_between_segments_is_passed_over(stuffing: bytes) -> None:
    data = sequential(BASELINE, 8, 16)
    at = data.index(b"\xff\xc0")
    assert read_head(data[:at] + stuffing + data[at:], "jpeg").frame == read_head(data, "jpeg").frame


def test_scan_headers_within_other_segments_are_none() -> None:
    comment = segment(0xFE, scan((1,), 0, 63, 0))
    data = sequential(BASELINE, 8, 16)
    data = START + comment + data[2:-2] + comment + END
    assert [each.components for each in scans_of(data)] == [(1,)]


def test_what_follows_the_end_is_no_part_of_the_stream() -> None:
    data = sequential(BASELINE, 8, 16)
    more = data + scan((1,), 0, 63, 0) + END
    assert read_scans(more, read_head(more, "jpeg"), "jpeg") == (scans_of(data), len(data))


@pytest.mark.parametrize(
    "data",
    [
        START,
        START + END,
        START + frame(BASELINE, 8, 16) + END,
        START + scan((1,), 0, 63, 0) + END,
        START + frame(BASELINE, 8, 16) * 2 + scan((1,), 0, 63, 0) + END,
        START + frame(BASELINE, 8, 16, 0) + scan((1,), 0, 63, 0) + END,
        START + frame(BASELINE, 8, 16).replace(b"\1\x11\0", b"\1\x01\0") + scan((1,), 0, 63, 0) + END,
        START + frame(BASELINE, 8, 16).replace(b"\1\1\x11\0", b"\2\1\x11\0") + scan((1,), 0, 63, 0) + END,
        START + segment(0xFE, bytes(90))[:-50],
        START + b"\xff\xfe\0\1" + frame(BASELINE, 8, 16) + scan((1,), 0, 63, 0) + END,
    ],
)
def test_a_head_that_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match="The JPEG file is truncated or corrupt"):
        read_head(data, "jpeg")


@pytest.mark.parametrize(
    "scans",
    [
        b"\xff\xda",
        b"\xff\xda\0\2" + END,
        b"\xff\xda\0\x06\0\0\0\0" + END,
        scan(range(5), 0, 0, 0) + END,
        scan((1,), 0, 0, 0),
    ],
)
def test_scans_that_are_not_whole_are_refused(scans: bytes) -> None:
    data = START + frame(BASELINE, 8, 16) + scans
    head = read_head(data, "jpeg")
    with pytest.raises(UndecodableImage, match="The JPEG file is truncated or corrupt"):
        read_scans(data, head, "jpeg")


def test_segments_are_as_many_as_the_limit_before_the_first_scan_and_from_there_on() -> None:
    data = sequential(BASELINE, 8, 16)
    empty = segment(0xFE)
    before, after = MOST_SEGMENTS - 4, MOST_SEGMENTS - 1
    assert len(read_head(START + empty * before + data[2:], "jpeg").segments) == MOST_SEGMENTS
    assert len(scans_of(data[:-2] + empty * after + END)) == 1
    with pytest.raises(UndecodableImage, match="at most 1000 marker segments"):
        read_head(START + empty * (before + 1) + data[2:], "jpeg")
    with pytest.raises(UndecodableImage, match="at most 1000 marker segments"):
        scans_of(data[:-2] + empty * (after + 1) + END)
