"""Pictures, and places in them."""

from api.http.schemas.base import Schema


class BoundingBoxOut(Schema):
    """Pixels of the image as sent, x to the right, y down."""

    x: int
    y: int
    width: int
    height: int


class PictureOut(Schema):
    """A picture as a base64-encoded file."""

    media_type: str
    width: int
    height: int
    data: str


class HeatmapOut(PictureOut):
    """A map as an 8-bit grey PNG; `range` gives the raw values of 0 and 255."""

    range: tuple[float, float]
