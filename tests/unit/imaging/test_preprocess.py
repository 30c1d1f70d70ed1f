"""Shrinking: areas are averaged, nothing is cropped, batches keep their order."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api.imaging import preprocess
from api.imaging.preprocess import resize_antialiased, to_model_input, to_model_inputs


def checkerboard(size: int) -> NDArray[np.uint8]:
    return np.asarray(np.indices((size, size)).sum(axis=0) % 2 * 255, dtype=np.uint8)


def test_shrinking_averages_areas() -> None:
    """Without antialiasing a fine checkerboard would stay black and white; averaged it is grey."""
    shrunk = resize_antialiased(checkerboard(1024), 128, 128)
    np.testing.assert_allclose(shrunk, 127.5, atol=2)


def test_shrinking_in_two_steps_gives_nearly_the_same_as_in_one() -> None:
    rows, columns = np.mgrid[0:1500, 0:2000]
    smooth = (127 + 60 * np.sin(rows / 40) + 60 * np.sin(columns / 55)).astype(np.uint8)
    direct = resize_antialiased(smooth, 128, 128).astype(int)
    in_two_steps = resize_antialiased(resize_antialiased(smooth, 224, 224), 128, 128).astype(int)
    assert np.abs(direct - in_two_steps).mean() < 1.5


def test_the_whole_frame_is_kept_without_its_aspect_ratio() -> None:
    frame = np.zeros((100, 400), np.uint8)
    frame[:, 200:] = 200
    shrunk = resize_antialiased(frame, 50, 50)
    assert shrunk.shape == (50, 50)
    np.testing.assert_array_equal(shrunk[:, :24], 0)
    np.testing.assert_array_equal(shrunk[:, 26:], 200)


def test_an_image_of_the_right_size_is_unchanged() -> None:
    board = checkerboard(128)
    np.testing.assert_array_equal(resize_antialiased(board, 128, 128), board)


@pytest.mark.parametrize("height", [32, 48])
def test_model_input_stacks_images_in_order(height: int) -> None:
    images = [np.full((90, 70), level, np.uint8) for level in (10, 200)]
    batch = to_model_input(images, height, 64)
    assert batch.shape == (2, height, 64, 1)
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch[0], 10)
    np.testing.assert_array_equal(batch[1], 200)


def test_models_of_several_sizes_get_what_each_would_get_alone() -> None:
    """Smaller and larger than the training data, from images longer on one side, on both and on none."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((900, 1200), (200, 700), (90, 80))]
    sizes = [(224, 224), (160, 160), (128, 300), (256, 256)]
    together = to_model_inputs(images, sizes)
    assert list(together) == sizes
    for size in sizes:
        np.testing.assert_array_equal(together[size], to_model_input(images, *size))


def test_a_large_image_is_shrunk_once_for_all_models(monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk_from: list[tuple[int, ...]] = []

    def counting(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        shrunk_from.append(pixels.shape)
        return resize_antialiased(pixels, height, width)

    monkeypatch.setattr(preprocess, "resize_antialiased", counting)
    to_model_inputs([checkerboard(900)], [(224, 224), (160, 160)])
    assert shrunk_from.count((900, 900)) == 1
