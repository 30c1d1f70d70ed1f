"""Pictures, and places in them."""

import base64

from api.http.schemas.pictures import BoundingBoxOut, HeatmapOut, PictureOut
from api.types import BoundingBox, EncodedImage, Explanation


def box_out(box: BoundingBox | None) -> BoundingBoxOut | None:
    """Give a box in pixels of the image as sent."""
    return None if box is None else BoundingBoxOut(x=box.x, y=box.y, width=box.width, height=box.height)


def overlay_out(explanation: Explanation) -> PictureOut:
    """Give the overlay of a finding that can be drawn.

    Raises
    ------
    ValueError
        It was not drawn.
    """
    if explanation.overlay is None:
        raise ValueError("There must be an overlay of a finding that can be drawn.")
    return picture_out(explanation.overlay)


def picture_out(image: EncodedImage) -> PictureOut:
    """Give a picture with its file in base64."""
    return PictureOut(
        media_type=image.media_type, width=image.width, height=image.height, data=base64.b64encode(image.data).decode()
    )


def heatmap_out(image: EncodedImage | None) -> HeatmapOut | None:
    """Give a map with the raw values of its darkest and brightest pixel; None if the method has no map."""
    if image is None or image.value_range is None:
        return None
    return HeatmapOut(range=image.value_range, **picture_out(image).model_dump())
