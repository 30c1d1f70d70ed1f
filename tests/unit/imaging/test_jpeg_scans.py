"""Which scans an image may have, against images written by hand that libjpeg decodes."""

from itertools import product

import imagecodecs
import pytest

from api.errors import UndecodableImage
from api.imaging.jpeg_scans import MOST_PROGRESSIVE_SCANS, check_scans
from api.imaging.jpeg_stream import read_head, read_scans
from tests.jpeg_bytes import BASELINE, END, EXTENDED, LOSSLESS, frame, progressive, scan, sequential

SIDE = 40


def check(data: bytes) -> None:
    head = read_head(data, "jpeg")
    scans, _ = read_scans(data, head, "jpeg")
    check_scans(head.frame, scans, "jpeg")


@pytest.mark.parametrize(("process", "precision"), [(BASELINE, 8), (EXTENDED, 12), (LOSSLESS, 16)])
def test_a_sequential_image_has_each_component_once(process: int, precision: int) -> None:
    once: list[list[tuple[int, ...]]] = [[(1, 2, 3)], [(1,), (2,), (3,)], [(2,), (1, 3)]]
    for scans in once:
        check(sequential(process, precision, SIDE, scans=scans, components=3))
    others: list[list[tuple[int, ...]]] = [
        [(1,), (2,)], [(1, 2, 3), (1,)], [(1, 2), (2, 3)], [(1, 2, 3)] * 2, [(1,), (2,), (2,)],
    ]  # fmt: skip
    for scans in others:
        with pytest.raises(UndecodableImage, match="each component in one scan"):
            check(sequential(process, precision, SIDE, scans=scans, components=3))
    with pytest.raises(UndecodableImage, match="corrupt"):
        check(sequential(process, precision, SIDE, scans=[(1, 2, 4)], components=3))


@pytest.mark.parametrize(("process", "precision"), [(BASELINE, 8), (EXTENDED, 12), (LOSSLESS, 16)])
@pytest.mark.parametrize("side", [1, 8, 9, 40])
def test_the_shortest_data_that_hold_an_image_are_enough(process: int, precision: int, side: int) -> None:
    data = sequential(process, precision, side)
    check(data)
    assert imagecodecs.jpeg8_decode(data).shape == (side, side)
    with pytest.raises(UndecodableImage, match="corrupt"):
        check(data[:-3] + END)


def test_a_component_that_is_subsampled_needs_less() -> None:
    """Four blocks of 8 by 8 in the first component, one in the second: 8 and 2 bits, and 10 together."""
    whole = sequential(BASELINE, 8, 16, components=2, scans=[(1, 2)])
    head = whole[: whole.index(frame(BASELINE, 8, 16, 2))]
    subsampled = frame(BASELINE, 8, 16, 2).replace(b"\1\x11\0", b"\1\x22\0")
    for first, second in product((0, 1), repeat=2):
        apart = scan((1,), 0, 63, 0, bytes(first)) + scan((2,), 0, 63, 0, bytes(second))
        data = head + subsampled + apart + END
        if first and second:
            check(data)
        else:
            with pytest.raises(UndecodableImage, match="corrupt"):
                check(data)


def test_a_progressive_image_has_each_bit_once_in_at_most_100_scans() -> None:
    most = MOST_PROGRESSIVE_SCANS - 64
    for data in (progressive(SIDE), progressive(SIDE, twice=most)):
        check(data)
        assert imagecodecs.jpeg8_decode(data).shape == (SIDE, SIDE)
    with pytest.raises(UndecodableImage, match="Received: 8 bits, 101 scans"):
        check(progressive(SIDE, twice=most + 1))
    with pytest.raises(UndecodableImage, match="Received: repeated ones"):
        check(progressive(SIDE, repeated=1))


def test_a_progressive_image_of_12_bits_is_refused() -> None:
    data = progressive(SIDE)
    with pytest.raises(UndecodableImage, match="Received: 12 bits, 64 scans"):
        check(data.replace(b"\xff\xc2\0\x0b\x08", b"\xff\xc2\0\x0b\x0c"))


def test_a_progressive_image_without_its_last_scan_or_its_first_data_is_refused() -> None:
    data = progressive(SIDE)
    with pytest.raises(UndecodableImage, match="before its last scan"):
        check(data[: data.rindex(b"\xff\xda")] + END)
    first = scan((1,), 0, 0, 0)
    start = data.index(first) + len(first)
    with pytest.raises(UndecodableImage, match="corrupt"):
        check(data[:start] + data[data.index(b"\xff\xda", start) :])
