"""What each method shows."""

from typing import Annotated, Literal

from pydantic import Field

from api.http.schemas.base import Schema
from api.http.schemas.pictures import BoundingBoxOut, HeatmapOut, PictureOut
from api.types import BorderName, Fill, MapUnit, Side

_LEFT_OUT_IF_NONE = Field(exclude_if=lambda value: value is None)


class RegionScoreOut(Schema):
    """A region of a grid. `rank` is 1 for the brightest; all but the name is null where it holds too little lung."""

    name: str
    score: float | None
    rank: int | None
    bounding_box: BoundingBoxOut | None


class BorderOut(Schema):
    """How sharp a border of the lung is on one side: the silhouette sign is a border that is lost.

    `sharpness` is the share of the lung's contrast by which the grey level rises over 1 % of the frame.
    `normals_less_sharp` is the share of normal children in whom this border is less sharp. `auc`, with its 95 %
    interval, says how well sharpness told NORMAL from PNEUMONIA among children's radiographs alike in processing and
    texture; 0.5 is chance. It did not tell them apart in adults.
    """

    border: BorderName
    side: Side
    sharpness: float
    normals_less_sharp: Annotated[float, Field(ge=0, le=1)]
    auc: float
    auc_95: tuple[float, float]


class SilhouetteOut(Schema):
    """The whitest part. `image_left` is the viewer's left.

    `rule` is `study` without options: scores are each half's share of both halves' grey levels, and each quadrant's of
    its half. With `regions` it is `grid`: scores are each region's share of the grid's grey levels. With `lungs` it is
    `lungs`: scores are mean grey levels, 0 to 255, of the lung in each region, boxes enclose that lung, and `half`
    and `quadrant` are those of the lungs' box. In a middle row `quadrant` is null. Without lungs in the picture,
    `lungs_found` is false, and nothing is named or drawn. `regions`, `lungs_found` and `borders` are null where the
    rule does not look at them.
    """

    rule: Literal["study", "grid", "lungs"]
    half: str | None
    quadrant: str | None
    bounding_box: BoundingBoxOut | None
    scores: dict[str, float]
    regions: list[RegionScoreOut] | None
    lungs_found: bool | None
    borders: list[BorderOut] | None
    overlay: PictureOut | None


class GradientOut(Schema):
    """Dominant pixels of the gradient model. `coverage` is the share of pixels shown."""

    threshold: float
    coverage: float
    bounding_box: BoundingBoxOut | None
    constant: bool
    overlay: PictureOut
    heatmap: HeatmapOut | None


class ScaledMapOut(Schema):
    """A map computed in the model's graph: `saliency`, `grad_cam` or `grad_cam_plus_plus`.

    Colours run from 0 to the upper end of `scale`, the same for all images; higher values look like the upper end.
    `coverage` and `bounding_box` are those of the strongest part: `threshold` times this map's own maximum and above. A
    map that is `constant`, or `non_finite` because the model's arithmetic failed, says nothing and is not drawn.
    """

    threshold: float
    coverage: float
    bounding_box: BoundingBoxOut | None
    constant: bool
    non_finite: bool
    scale: tuple[float, float]
    unit: MapUnit
    overlay: PictureOut | None
    heatmap: HeatmapOut | None


class RegionDropOut(Schema):
    """What hiding a region takes away from the log-odds; negative if it adds to them. `rank` 1 is the largest drop.

    Regions of one size are ranked among themselves.
    """

    name: str
    drop: float
    rank: int
    bounding_box: BoundingBoxOut


class OcclusionOut(Schema):
    """What the classifier loses when a region is hidden from it by `fill`.

    `baseline` is z, the calibrated log-odds of PNEUMONIA for the whole image, at the prevalence published with the
    model; a drop is z less that of the image with the region hidden, and does not depend on the prevalence. A part of
    every drop comes from hiding anything at all: compare regions of one size with each other. `half` and
    `quadrant` have the largest drop of their kind, each for itself; null with a grid that does not hide them. The
    overlay colours the smallest regions, from 0 to the upper end of `scale`, the same for all images, and
    `bounding_box` is that of the strongest of them. `none`: hiding lowers z nowhere by 0.01 or more, so that nothing is
    named or drawn.
    """

    baseline: float
    fill: Fill
    none: bool
    half: str | None
    quadrant: str | None
    bounding_box: BoundingBoxOut | None
    regions: list[RegionDropOut]
    scale: tuple[float, float]
    unit: MapUnit
    overlay: PictureOut | None


class LayerOut(Schema):
    """The strongest channels of a layer: those with the largest mean absolute value in this image, strongest first.

    `channels` are their numbers, counted from 0, row by row in the `montage`. `size` is that of each map. Colours run
    from 0 to the upper end of `scale`, the same for all images. `signed`: some values are negative, and the colours
    stand for absolute values. A layer that is `non_finite`, because the model's arithmetic failed, is not drawn.
    """

    layer: str
    size: dict[Literal["height", "width"], int]
    channels: list[int]
    scale: tuple[float, float]
    signed: bool
    non_finite: bool
    montage: PictureOut | None


class LayersOut(Schema):
    """Feature maps of early and late layers, the earliest first: what the network looks at, and no evidence."""

    layers: list[LayerOut]


class ExplanationsOut(Schema):
    """One block per method that was asked for; none for NORMAL unless `always=true`."""

    silhouette: Annotated[SilhouetteOut | None, _LEFT_OUT_IF_NONE] = None
    gradient: Annotated[GradientOut | None, _LEFT_OUT_IF_NONE] = None
    saliency: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam_plus_plus: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    occlusion: Annotated[OcclusionOut | None, _LEFT_OUT_IF_NONE] = None
    layers: Annotated[LayersOut | None, _LEFT_OUT_IF_NONE] = None
