"""The grids of regions, by hand."""

import pytest

from api.explain.grid import GRIDS, regions_of
from api.types import RelativeBox


@pytest.mark.parametrize(("count", "rows", "columns"), [(4, 2, 2), (6, 3, 2), (8, 4, 2), (16, 4, 4), (24, 6, 4)])
def test_a_grid_covers_the_frame_once(count: int, rows: int, columns: int) -> None:
    regions = regions_of(count)
    assert len(regions) == len({region.name for region in regions}) == count
    tops, lefts = (sorted({round(value, 9) for value in edges}) for edges in (
        [region.box.top for region in regions], [region.box.left for region in regions],
    ))  # fmt: skip
    assert tops == pytest.approx([row / rows for row in range(rows)])
    assert lefts == pytest.approx([column / columns for column in range(columns)])
    area = sum((r.box.right - r.box.left) * (r.box.bottom - r.box.top) for r in regions)
    assert area == pytest.approx(1)


def test_the_regions_of_six_have_words_and_follow_a_box() -> None:
    regions = regions_of(6, RelativeBox(0.1, 0.2, 0.9, 0.8))
    assert [region.name for region in regions] == [
        "image_upper_left", "image_upper_right", "image_middle_left", "image_middle_right",
        "image_lower_left", "image_lower_right",
    ]  # fmt: skip
    box = regions[3].box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.5, 0.4, 0.9, 0.6))


def test_finer_grids_are_numbered() -> None:
    assert [region.name for region in regions_of(16)][5] == "row_2_column_2"
    assert [region.name for region in regions_of(8)][3] == "row_2_column_2"


def test_other_numbers_have_no_grid() -> None:
    assert 5 not in GRIDS
    with pytest.raises(KeyError):
        regions_of(5)
