"""The line around the affected region, looked at pixel by pixel."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.imaging.render.contour import draw_outline, outline_region
from api.types import AffectedRegion, BoundingBox, EncodedImage, ExplainOptions, Radiograph, RelativeBox

BOX = RelativeBox(0.25, 0.5, 0.75, 1.0)
REGION = AffectedRegion(
    outline=((0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0), (0.25, 0.5)),
    region=BOX,
    share_of_lungs=0.5,
    sides=("image_left",),
    zones=("lower",),
    methods=("grad_cam",),
)


def pixels_of(picture: EncodedImage) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def test_polygon_and_box_are_in_pixels_of_the_image_as_sent() -> None:
    radiograph = Radiograph(np.full((200, 401), 90, np.uint8), "png", 8)
    outlined = outline_region(radiograph, REGION, ExplainOptions(("grad_cam",), overlay_size=100))
    corners = ((100.25, 100.0), (300.75, 100.0), (300.75, 200.0), (100.25, 200.0), (100.25, 100.0))
    np.testing.assert_allclose(outlined.polygon, corners)
    assert outlined.bounding_box == BoundingBox(x=100, y=100, width=201, height=100)
    assert (outlined.overlay.media_type, outlined.overlay.width, outlined.overlay.height) == ("image/png", 100, 50)


@pytest.mark.parametrize("size", [64, 320, 1600])
def test_the_line_runs_along_the_outline_and_leaves_the_rest_alone(size: int) -> None:
    drawn = pixels_of(draw_outline(np.full((160, 160), 90, np.uint8), REGION, size, "png"))
    changed = (drawn != 90).any(axis=-1)
    light = (drawn == (80, 220, 255)).all(axis=-1)
    edge = np.zeros((size, size), bool)
    reach = max(1, round(size / 160)) // 2 + 2
    quarter, half = size // 4, size // 2
    edge[half - reach : half + reach, quarter - reach : 3 * quarter + reach] = True
    edge[half:, quarter - reach : quarter + reach] = edge[half:, 3 * quarter - reach : 3 * quarter + reach] = True
    edge[-reach:, quarter:-quarter] = True
    assert not (changed & ~edge).any()
    assert light[half - 2 : half + 2, quarter + 10 : 3 * quarter - 10].any(axis=0).all()
    assert light[half + 10 : -10, quarter - 2 : quarter + 2].any(axis=1).all()
