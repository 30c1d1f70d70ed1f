"""Grids of the silhouette rule, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.explain.silhouette_grid import rank_frame, rank_lungs
from api.types import RegionScore, RelativeBox, SilhouetteGridFinding


def winner(finding: SilhouetteGridFinding) -> RegionScore:
    assert finding.winner is not None
    return finding.winner


def edges(box: RelativeBox | None) -> tuple[float, ...]:
    assert box is not None
    return box.left, box.top, box.right, box.bottom


@pytest.mark.parametrize(
    ("count", "pixel", "name", "quadrant", "rows", "columns"),
    [
        (4, (64, 63), "image_upper_left", "image_upper_left", (20, 65), (0, 64)),
        (4, (65, 64), "image_lower_right", "image_lower_right", (65, 110), (64, 128)),
        (6, (49, 127), "image_upper_right", "image_upper_right", (20, 50), (64, 128)),
        (6, (50, 0), "image_middle_left", None, (50, 80), (0, 64)),
        (6, (109, 63), "image_lower_left", "image_lower_left", (80, 110), (0, 64)),
        (8, (43, 64), "row_2_column_2", "image_upper_right", (42.5, 65), (64, 128)),
        (8, (65, 0), "row_3_column_1", "image_lower_left", (65, 87.5), (0, 64)),
        (16, (20, 32), "row_1_column_2", "image_upper_left", (20, 42.5), (32, 64)),
        (16, (109, 96), "row_4_column_4", "image_lower_right", (87.5, 110), (96, 128)),
        (24, (64, 95), "row_3_column_3", "image_upper_right", (50, 65), (64, 96)),
        (24, (65, 31), "row_4_column_1", "image_lower_left", (65, 80), (0, 32)),
    ],
)
def test_one_white_pixel_decides(
    count: int,
    pixel: tuple[int, int],
    name: str,
    quadrant: str | None,
    rows: tuple[float, float],
    columns: tuple[float, float],
) -> None:
    image = np.zeros((128, 128), np.uint8)
    image[pixel] = 255
    finding = rank_frame(image, count)
    assert (winner(finding).name, winner(finding).score, winner(finding).rank) == (name, 1.0, 1)
    box = columns[0] / 128, rows[0] / 128, columns[1] / 128, rows[1] / 128
    assert edges(finding.region) == pytest.approx(box)
    assert finding.half == ("image_left" if columns[1] <= 64 else "image_right")
    assert finding.quadrant == quadrant
    assert sum(finding.scores.values()) == 1.0
    assert [region.rank for region in finding.regions if region.name != name] == list(range(2, count + 1))


def test_a_pixel_on_a_line_of_the_grid_counts_half_for_each_region_and_the_first_wins() -> None:
    image = np.zeros((128, 128), np.uint8)
    image[42, 5] = image[87, 100] = 90  # lines at rows 42.5 and 87.5
    finding = rank_frame(image, 8)
    assert finding.scores == {
        **{f"row_{row}_column_{column}": 0.0 for row in (1, 2, 3, 4) for column in (1, 2)},
        "row_1_column_1": 0.25, "row_2_column_1": 0.25, "row_3_column_2": 0.25, "row_4_column_2": 0.25,
    }  # fmt: skip
    ranks = {region.name: region.rank for region in finding.regions}
    assert [ranks[f"row_{row}_column_{column}"] for row, column in ((1, 1), (2, 1), (3, 2), (4, 2))] == [1, 2, 3, 4]


@pytest.mark.parametrize("row", [19, 110])
def test_rows_that_the_study_leaves_out_do_not_count_and_black_makes_all_equal(row: int) -> None:
    image = np.zeros((128, 128), np.uint8)
    image[row] = 255
    finding = rank_frame(image, 24)
    assert list(finding.scores.values()) == pytest.approx([1 / 24] * 24)
    assert winner(finding).name == "row_1_column_1"


@given(st.integers(0, 2**32 - 1))
def test_six_fields_against_a_count_pixel_by_pixel(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (128, 128), dtype=np.uint8)
    sums = [int(image[top : top + 30, left : left + 64].astype(int).sum()) for top in (20, 50, 80) for left in (0, 64)]
    finding = rank_frame(image, 6)
    assert [region.score for region in finding.regions] == pytest.approx([each / sum(sums) for each in sums], abs=1e-9)
    ranks = [1 + sum(other > each for other in sums) for each in sums]
    if len(set(ranks)) == 6:
        assert [region.rank for region in finding.regions] == ranks


def two_lungs() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Two lungs in a frame of 20 x 20: columns 2 to 6 and 13 to 17, rows 4 to 15; all else is white."""
    lungs = np.zeros((20, 20), np.bool_)
    lungs[4:16, 2:7] = lungs[4:16, 13:18] = True
    return np.where(lungs, 40, 255).astype(np.uint8), lungs


def test_the_mean_over_lung_pixels_decides_and_the_box_encloses_them() -> None:
    image, lungs = two_lungs()
    image[10:16, 13:18] += 20
    image[10, 13] = 240  # one of 30 pixels, 180 brighter than the others: 6 in the mean
    image[4, 2] = 70  # 1 in the mean
    finding = rank_lungs(image, lungs, 4)
    assert finding.scores == pytest.approx(
        {"image_upper_left": 41, "image_upper_right": 40, "image_lower_left": 40, "image_lower_right": 66}
    )
    assert {region.name: region.rank for region in finding.regions} == {
        "image_lower_right": 1, "image_upper_left": 2, "image_upper_right": 3, "image_lower_left": 4,
    }  # fmt: skip
    assert edges(finding.region) == pytest.approx((13 / 20, 10 / 20, 18 / 20, 16 / 20))
    assert edges(winner(finding).cell) == pytest.approx((10 / 20, 10 / 20, 18 / 20, 16 / 20))
    assert (finding.half, finding.quadrant) == ("image_right", "image_lower_right")
    assert finding.lungs is lungs


def test_the_lungs_box_is_divided_and_not_the_frame() -> None:
    image, lungs = two_lungs()
    image, lungs = np.pad(image[:, :18], ((0, 0), (12, 0))), np.pad(lungs[:, :18], ((0, 0), (12, 0)))
    image[4:10, 14:19] = 99  # in the left half of the lungs, but right of the frame's middle at 15
    finding = rank_lungs(image, lungs, 6)
    assert (finding.half, winner(finding).name) == ("image_left", "image_upper_left")


def test_a_region_with_too_little_lung_has_no_score() -> None:
    """Of four columns, columns 2 to 5 and 14 to 17 make the outer ones; the inner ones hold column 6 and 13 of four."""
    image, lungs = two_lungs()
    lungs[4:16, 6] = False
    lungs[4, 6] = True
    image[4, 6] = 255  # bright, but one pixel of 12
    lungs[4:16, 13] = False
    finding = rank_lungs(image, lungs, 16)
    names = [region.name for region in finding.regions if region.score is None]
    assert names == [f"row_{row}_column_{column}" for row in (1, 2, 3, 4) for column in (2, 3)]
    for region in finding.regions:
        assert (region.rank is None) == (region.region is None) == (region.score is None)
    lungs[5, 6] = True  # two of 12: more than a tenth
    image[5, 6] = 255
    finding = rank_lungs(image, lungs, 16)
    assert (winner(finding).name, winner(finding).score) == ("row_1_column_2", 255)


def test_of_equal_regions_the_first_wins() -> None:
    image, lungs = two_lungs()
    finding = rank_lungs(image, lungs, 8)
    assert set(finding.scores.values()) == {40}
    assert [region.rank for region in finding.regions] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("pixels", [0, 3])
def test_no_lungs_name_nothing(pixels: int) -> None:
    """Three of 400 pixels are less than 1 %."""
    lungs = np.zeros((20, 20), np.bool_)
    lungs[3, 3 : 3 + pixels] = True
    finding = rank_lungs(np.full((20, 20), 100, np.uint8), lungs, 4)
    assert (finding.regions, finding.winner, finding.half, finding.quadrant) == ((), None, None, None)
    assert (finding.region, finding.scores) == (None, {})


def test_four_pixels_of_400_are_lungs() -> None:
    lungs = np.zeros((20, 20), np.bool_)
    lungs[3:5, 3:5] = True
    image = np.full((20, 20), 10, np.uint8)
    image[4, 4] = 11
    assert winner(rank_lungs(image, lungs, 4)).name == "image_lower_right"
