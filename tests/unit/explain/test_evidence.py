"""Findings in common terms, by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.evidence import FRAME, evidence_of, gather, speaks_of_places
from api.explain.gradient import select_dominant_pixels
from api.explain.graph_map import measure_map
from api.types import (
    Finding,
    Layer,
    LayersFinding,
    MapFinding,
    MapScale,
    OcclusionFinding,
    RegionDrop,
    RegionScore,
    RelativeBox,
    SilhouetteFinding,
    SilhouetteGridFinding,
)

SCALE = MapScale(1.0, "log-odds")
UPPER_RIGHT = RelativeBox(0.5, 0, 1, 0.5)
LAYERS = LayersFinding((Layer("late", np.ones((1, 2, 2), np.float32), (0,), 1.0),))


def quarter(row: int, column: int) -> NDArray[np.bool_]:
    half = FRAME // 2
    expected = np.zeros((FRAME, FRAME), np.bool_)
    expected[row * half : (row + 1) * half, column * half : (column + 1) * half] = True
    return expected


def occlusion(*drops: float, strongest: int | None) -> OcclusionFinding:
    boxes = [RelativeBox(x, y, x + 0.5, y + 0.5) for y in (0.0, 0.5) for x in (0.0, 0.5)]
    drawn = tuple(RegionDrop(str(i), box, drop, 1) for i, (box, drop) in enumerate(zip(boxes, drops, strict=True)))
    best = None if strongest is None else drawn[strongest]
    return OcclusionFinding(2.0, "blur", SCALE, drawn, drawn, best, None, None)


def winner(region: RelativeBox | None, lungs: NDArray[np.bool_] | None) -> SilhouetteGridFinding:
    best = None if region is None else RegionScore("r", region, region, 1.0, 1)
    return SilhouetteGridFinding(() if best is None else (best,), best, None, None, lungs)


def test_a_box_is_as_hot_everywhere() -> None:
    finding = SilhouetteFinding("image_right", "image_upper_right", UPPER_RIGHT, {})
    evidence = evidence_of("silhouette", finding)
    assert evidence is not None
    np.testing.assert_array_equal(evidence.region, quarter(0, 1))
    np.testing.assert_array_equal(evidence.heat, quarter(0, 1).astype(float))


def test_of_a_grid_on_the_lungs_the_lung_in_the_winning_region_counts() -> None:
    lungs = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]], np.bool_)
    whole = evidence_of("silhouette", winner(UPPER_RIGHT, None))
    inside = evidence_of("silhouette", winner(UPPER_RIGHT, lungs))
    assert whole is not None and inside is not None
    np.testing.assert_array_equal(whole.region, quarter(0, 1))
    expected = np.zeros((FRAME, FRAME), np.bool_)
    expected[: FRAME // 4, FRAME // 2 : FRAME * 3 // 4] = True
    np.testing.assert_array_equal(inside.region, expected)
    assert evidence_of("silhouette", winner(None, lungs)) is None


def test_of_the_gradient_what_is_shown_counts_but_all_of_it_ranks() -> None:
    finding = select_dominant_pixels(np.array([[0, 0.3], [0.8, 1]], np.float32), 0.7)
    evidence = evidence_of("gradient", finding)
    assert evidence is not None
    np.testing.assert_array_equal(evidence.region, quarter(1, 0) | quarter(1, 1))
    np.testing.assert_allclose(evidence.heat, 0.8 * quarter(1, 0) + quarter(1, 1), rtol=1e-6)
    assert evidence.ranking[0, -1] == pytest.approx(0.3)


def test_a_pixelwise_map_keeps_its_pixels_and_a_coarse_one_is_smooth() -> None:
    values = np.array([[0, 0], [0, 8]], np.float32)
    pixels = evidence_of("saliency", measure_map(values, SCALE, 0.75, pixelwise=True))
    coarse = evidence_of("grad_cam", measure_map(values, SCALE, 0.75))
    assert pixels is not None and coarse is not None
    np.testing.assert_array_equal(pixels.region, quarter(1, 1))
    # Between the cells' middles, at a quarter and three quarters, the value rises as the product of two ramps.
    place = np.clip(((np.arange(FRAME) + 0.5) / FRAME - 0.25) * 2, 0, 1)
    expected = 8 * np.outer(place, place)
    np.testing.assert_allclose(coarse.heat, expected, atol=0.05)
    sure = np.abs(expected - 6) > 0.1
    np.testing.assert_array_equal(coarse.region[sure], (expected >= 6)[sure])


def test_drops_lie_on_their_regions_and_gains_count_as_none() -> None:
    evidence = evidence_of("occlusion", occlusion(2.0, -1.0, 1.5, 0.5, strongest=0))
    assert evidence is not None
    np.testing.assert_array_equal(
        evidence.heat, 2.0 * quarter(0, 0) + 1.5 * quarter(1, 0) + 0.5 * quarter(1, 1), strict=False
    )
    np.testing.assert_array_equal(evidence.region, quarter(0, 0) | quarter(1, 0))  # 1.5 is 0.75 of the largest drop


@pytest.mark.parametrize(
    "finding",
    [
        measure_map(np.full((7, 7), 0.5, np.float32), SCALE, 0.7),
        measure_map(np.array([[0, 1], [np.nan, 0]], np.float32), SCALE, 0.7),
        select_dominant_pixels(np.full((4, 4), 0.5, np.float32), 0.7),
        occlusion(-1.0, 0.0, 0.0, 0.0, strongest=None),
        occlusion(1.0, 1.0, 1.0, 1.0, strongest=0),
        SilhouetteFinding("image_left", "all", RelativeBox(0, 0, 1, 1), {}),
    ],
    ids=["constant", "not finite", "constant gradient", "no drop", "the same drop everywhere", "the whole frame"],
)
def test_what_is_the_same_everywhere_is_no_evidence(finding: Finding) -> None:
    assert evidence_of("any", finding) is None
    assert speaks_of_places(finding)


def test_feature_maps_say_nothing_about_places() -> None:
    assert evidence_of("layers", LAYERS) is None
    assert not speaks_of_places(LAYERS)
    finding = measure_map(np.array([[0, 1], [0, 0]], np.float32), SCALE, 0.7)
    assert isinstance(finding, MapFinding)
    assert list(gather({"layers": LAYERS, "grad_cam": finding})) == ["grad_cam"]
