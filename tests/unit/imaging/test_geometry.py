"""Boxes in pixels, against values worked out by hand, and their invariants on random boxes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.imaging.geometry import fit, to_pixels
from api.types import BoundingBox, RelativeBox

sizes = st.integers(1, 5000)
shares = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        (RelativeBox(0, 0, 0.5, 0.5), (1000, 800), BoundingBox(0, 0, 500, 400)),
        (RelativeBox(0.5, 0.5, 1, 1), (1000, 800), BoundingBox(500, 400, 500, 400)),
        (RelativeBox(0, 0, 0.5, 0.5), (1857, 1317), BoundingBox(0, 0, 929, 659)),
        (RelativeBox(0.5, 0.5, 1, 1), (1857, 1317), BoundingBox(928, 658, 929, 659)),
        (RelativeBox(1 / 3, 0, 2 / 3, 1), (300, 7), BoundingBox(100, 0, 100, 7)),
        (RelativeBox(0, 0, 1, 1), (1, 1), BoundingBox(0, 0, 1, 1)),
    ],
)
def test_boxes_are_rounded_outwards(box: RelativeBox, size: tuple[int, int], expected: BoundingBox) -> None:
    assert to_pixels(box, *size) == expected


@given(shares, shares, sizes, sizes)
def test_boxes_enclose_what_they_mark_and_stay_inside(
    columns: list[float], rows: list[float], width: int, height: int
) -> None:
    box = to_pixels(RelativeBox(columns[0], rows[0], columns[1], rows[1]), width, height)
    assert 0 <= box.x <= columns[0] * width + 1e-5
    assert columns[1] * width - 1e-5 <= box.x + box.width <= width
    assert 0 <= box.y <= rows[0] * height + 1e-5
    assert rows[1] * height - 1e-5 <= box.y + box.height <= height


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((2000, 1000), 512, (512, 256)), ((300, 600), 1200, (600, 1200)), ((5000, 1), 64, (64, 1))],
)
def test_fit_keeps_the_aspect_ratio(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert fit(*size, longest) == expected
