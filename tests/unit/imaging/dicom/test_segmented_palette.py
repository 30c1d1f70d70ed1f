"""Segments of palettes (PS3.3, section C.7.9.2), written out by hand and by pydicom."""

import warnings

import numpy as np
import pytest
from pydicom.pixels.processing import _expand_segmented_lut

from api.errors import UndecodableImage
from api.imaging.dicom.segmented_palette import expand

DISCRETE, LINEAR, INDIRECT = 0, 1, 2


def words(*values: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.array(values, np.uint16)


def test_values_stand_one_by_one_and_lines_end_at_their_value() -> None:
    segments = words(DISCRETE, 3, 7, 7, 10, LINEAR, 4, 50, LINEAR, 2, 0)
    assert expand(segments, 9).tolist() == [7, 7, 10, 20, 30, 40, 50, 25, 0]


def test_repeats_go_on_from_where_they_stand() -> None:
    # Two segments are repeated, from byte 0 on: the line then starts at the last value before it.
    segments = words(DISCRETE, 1, 0, LINEAR, 2, 100, INDIRECT, 2, 0, 0)
    assert expand(segments, 6).tolist() == [0, 50, 100, 0, 50, 100]


def test_segments_of_bytes_count_their_repeats_in_bytes() -> None:
    segments = np.array([DISCRETE, 2, 9, 8, DISCRETE, 1, 5, INDIRECT, 1, 4, 0], np.uint8)
    assert expand(segments, 4).tolist() == [9, 8, 5, 5]


@pytest.mark.parametrize("seed", range(5))
def test_pydicom_writes_the_same_out(seed: int) -> None:
    random = np.random.default_rng(seed)
    segments = [DISCRETE, 2, *random.integers(0, 65536, 2)]
    for _ in range(20):
        length = int(random.integers(2, 40))
        last = int(random.integers(0, 65536))
        segments += [LINEAR, length, last] if random.random() < 0.5 else [DISCRETE, 1, last]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _expand_segmented_lut(tuple(int(word) for word in segments), "H")
    np.testing.assert_allclose(expand(words(*segments), len(expected)), expected, atol=1)


@pytest.mark.parametrize(
    "segments",
    [
        words(),
        words(DISCRETE, 3, 1, 2),
        words(DISCRETE, 2, 1, 2),
        words(DISCRETE, 4, 1, 2, 3, 4),
        words(DISCRETE, 0),
        words(LINEAR, 3, 10),
        words(DISCRETE, 1, 5, LINEAR, 2),
        words(3, 3, 1, 2, 3),
        words(DISCRETE, 1, 5, INDIRECT, 2, 0, 0),
        words(DISCRETE, 1, 5, INDIRECT, 65535, 0, 0),
        words(DISCRETE, 1, 5, INDIRECT, 1, 65535, 65535),
        words(DISCRETE, 1, 5, INDIRECT, 1, 6, 0),
        words(DISCRETE, 1, 5, INDIRECT, 1, 0),
        words(DISCRETE, 1, 5, LINEAR, 65535, 7),
    ],
    ids=[
        "nothing", "cut off", "too few", "too many", "of no length", "line from nowhere", "line to nowhere",
        "no such segment", "repeat of itself", "many repeats", "repeat of what is not there", "repeat of a repeat",
        "repeat cut off", "line too long",
    ],
)  # fmt: skip
def test_segments_that_do_not_make_the_palette_are_refused(
    segments: np.ndarray[tuple[int], np.dtype[np.uint16]],
) -> None:
    with pytest.raises(UndecodableImage):
        expand(segments, 3)
