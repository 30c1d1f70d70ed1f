"""Maps in colours, looked at pixel by pixel."""

import io

import numpy as np
import pytest
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from api.explain.graph_map import measure_map
from api.imaging.render import render
from api.imaging.render.scaled_map import draw_map
from api.types import EncodedImage, ExplainOptions, MapScale, Radiograph

GREY = 100


def radiograph(rows: int = 64, columns: int = 64) -> NDArray[np.uint8]:
    return np.full((rows, columns), GREY, np.uint8)


def pixels_of(picture: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def drawn(
    values: NDArray[np.float32],
    upper: float,
    *,
    pixelwise: bool,
    pixels: NDArray[np.uint8] | None = None,
    side: int = 64,
) -> NDArray[np.int16]:
    finding = measure_map(values, MapScale(upper, "log-odds"), 0.7, pixelwise=pixelwise)
    return pixels_of(draw_map(radiograph() if pixels is None else pixels, finding, side, "png")).astype(np.int16)


def expected_colour(share: float, grey: float = GREY) -> NDArray[np.float64]:
    """Matplotlib's own magma over a grey, three quarters opaque at the upper end."""
    share = min(share, 1.0)
    colour = np.array(colormaps["magma"](share)[:3]) * 255
    return np.asarray(grey * (1 - 0.75 * share) + colour * 0.75 * share)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.7, 400.0])
def test_a_colour_stands_for_a_number_and_zero_leaves_the_radiograph_alone(share: float) -> None:
    values = np.zeros((4, 4), np.float32)
    values[1, 2], values[3, 3] = share * 0.3, 1000  # the other value changes nothing of this one's colour
    picture = drawn(values, 0.3, pixelwise=True)
    # Between its anchors, the table is up to 4 levels away from matplotlib's.
    np.testing.assert_allclose(picture[16:32, 32:48], np.broadcast_to(expected_colour(share), (16, 16, 3)), atol=4)
    np.testing.assert_array_equal(picture[:16], GREY)


def test_the_upper_end_and_the_middle_are_exact() -> None:
    """Magma ends at (252, 253, 191) and has (183, 55, 121) in its middle."""
    picture = drawn(np.array([[0, 1], [2, 9]], np.float32), 2.0, pixelwise=True)
    assert picture[0, 0].tolist() == [100, 100, 100]
    assert picture[0, 63].tolist() == [131, 83, 108]  # 0.625 * 100 + 0.375 * colour
    assert picture[63, 0].tolist() == picture[63, 63].tolist() == [214, 215, 168]  # 0.25 * 100 + 0.75 * colour


def test_the_same_value_has_the_same_colour_on_every_image() -> None:
    weak, strong = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    weak[0, 0] = strong[0, 0] = 0.2
    strong[2, 2] = 0.9
    for pixelwise in (True, False):
        np.testing.assert_array_equal(
            drawn(weak, 1, pixelwise=pixelwise)[:20, :20], drawn(strong, 1, pixelwise=pixelwise)[:20, :20]
        )


def test_a_coarse_map_is_interpolated_between_the_middles_of_its_cells() -> None:
    """Cells of 16 pixels have their middles at 7.5, 23.5, 39.5 and 55.5."""
    values = np.array([[0, 0.8, 0.4, 1.0]] * 4, np.float32)
    picture = drawn(values, 1.0, pixelwise=False)
    shares = np.interp(np.arange(64), [7.5, 23.5, 39.5, 55.5], [0, 0.8, 0.4, 1.0])
    for column, share in enumerate(shares):
        expected = np.broadcast_to(expected_colour(float(share)), (64, 3))
        np.testing.assert_allclose(picture[:, column], expected, atol=4.5)
    np.testing.assert_array_equal(picture[:, :8], GREY)


def test_a_map_of_pixels_is_not_smoothed() -> None:
    values = np.zeros((8, 8), np.float32)
    values[2, 5] = 1.0
    coloured = (drawn(values, 1.0, pixelwise=True) != GREY).any(axis=-1)
    expected = np.zeros((64, 64), bool)
    expected[16:24, 40:48] = True
    np.testing.assert_array_equal(coloured, expected)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (5, 200), (111, 112), (223, 223)])
def test_a_small_overlay_keeps_the_strongest_pixels(row: int, column: int) -> None:
    values = np.full((224, 224), 0.01, np.float32)
    values[row, column] = 1.0
    picture = drawn(values, 1.0, pixelwise=True, pixels=radiograph(300, 300))
    found = np.argwhere((picture == [214, 215, 168]).all(axis=-1))
    assert found.tolist() == [[row * 64 // 224, column * 64 // 224]]


def test_the_map_covers_a_frame_of_any_shape() -> None:
    values = np.array([[0, 0], [0, 1]], np.float32)
    picture = drawn(values, 1.0, pixelwise=True, pixels=radiograph(100, 300), side=150)
    coloured = (picture != GREY).any(axis=-1)
    expected = np.zeros((50, 150), bool)
    expected[25:, 75:] = True
    np.testing.assert_array_equal(coloured, expected)


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_a_constant_or_non_finite_map_is_never_drawn(value: float) -> None:
    finding = measure_map(np.full((7, 7), value, np.float32), MapScale(1.0, "log-odds"), 0.7)
    with pytest.raises(ValueError, match="must be drawable"):
        draw_map(radiograph(), finding, 64, "png")
    explanation = render(Radiograph(radiograph(), "png", 8), finding, ExplainOptions(("grad_cam",)))
    assert (explanation.overlay, explanation.heatmap, explanation.bounding_box) == (None, None, None)


def test_the_heatmap_gives_back_the_raw_values_from_zero_to_the_maps_maximum() -> None:
    values = np.linspace(0.05, 0.61, 64, dtype=np.float32).reshape(8, 8)
    finding = measure_map(values, MapScale(0.3, "log-odds"), 0.7)
    heatmap = render(Radiograph(radiograph(), "png", 8), finding, ExplainOptions(("grad_cam",))).heatmap
    assert heatmap is not None
    assert heatmap.value_range == pytest.approx((0, 0.61))
    grey = pixels_of(heatmap)
    assert (grey.shape, grey.max()) == ((8, 8), 255)
    np.testing.assert_allclose(grey / 255 * 0.61, values, atol=0.61 / 255 / 2 + 1e-6)
