"""Size and number of images."""

import pytest

from api.errors import ImageTooLarge, UndecodableImage
from api.imaging.limits import check_one_frame, check_size


def test_pixels_are_counted_once_for_each_of_their_samples() -> None:
    check_size(10, 10, 100)
    check_size(10, 10, 300, 3)
    with pytest.raises(ImageTooLarge, match=r"at most 99 pixels\. Send"):
        check_size(10, 10, 99)
    with pytest.raises(ImageTooLarge, match="at most 299 pixels, counted 3 times"):
        check_size(10, 10, 299, 3)


@pytest.mark.parametrize(("width", "height", "samples"), [(0, 10, 1), (10, 0, 3), (-1, 10, 1), (0, 0, 0)])
def test_an_image_needs_pixels(width: int, height: int, samples: int) -> None:
    with pytest.raises(UndecodableImage, match="zero size"):
        check_size(width, height, 100, samples)


def test_several_frames_are_refused() -> None:
    check_one_frame(False)
    with pytest.raises(UndecodableImage, match="several frames"):
        check_one_frame(True)
