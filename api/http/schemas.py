"""The JSON of REST contract version 1, as it stands on the wire."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.explain import DEFAULT_METHODS, METHODS
from api.explain.grid import GRIDS
from api.types import ExplainOptions, MapUnit

DISCLAIMER = (
    "Decision support for research and preliminary triage. Not a medical device; a clinician must confirm every result."
)


_GRIDS = ", ".join(f"{count} ({rows} x {columns})" for count, (rows, columns) in GRIDS.items())
_LEFT_OUT_IF_NONE = Field(exclude_if=lambda value: value is None)


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelOut(_Schema):
    """Which model judged."""

    name: str
    version: str
    architecture: str


class InputOut(_Schema):
    """The image as sent, after EXIF orientation."""

    format: Literal["jpeg", "png"]
    width: int
    height: int
    bit_depth: int


class PredictionOut(_Schema):
    """The classifier's calibrated answer. `decision_threshold` is on P(PNEUMONIA).

    Both hold for the share `prevalence` of PNEUMONIA among the radiographs; null if it was not published.
    """

    label: str
    probability: Annotated[float, Field(ge=0, le=1)]
    indeterminate: bool
    probabilities: dict[str, float]
    decision_threshold: float
    prevalence: float | None


class QualityOut(_Schema):
    """Whether the image is a chest radiograph; `score` is 0.5 where it would just be refused, 1 well inside.

    `warnings` are codes: `rotated`, `inverted`, `lateral`, `unlike_training_data`, `lungs_not_found`,
    `not_a_chest_radiograph`.
    """

    is_chest_xray: bool
    score: Annotated[float, Field(ge=0, le=1)]
    warnings: list[str]


class BoundingBoxOut(_Schema):
    """Pixels of the image as sent, x to the right, y down."""

    x: int
    y: int
    width: int
    height: int


class PictureOut(_Schema):
    """A picture as a base64-encoded file."""

    media_type: str
    width: int
    height: int
    data: str


class HeatmapOut(PictureOut):
    """A map as an 8-bit grey PNG; `range` gives the raw values of 0 and 255."""

    range: tuple[float, float]


class SilhouetteOut(_Schema):
    """Affected half and quadrant. `image_left` is the viewer's left; scores are shares of grey level."""

    half: str
    quadrant: str
    bounding_box: BoundingBoxOut | None
    scores: dict[str, float]
    overlay: PictureOut


class GradientOut(_Schema):
    """Dominant pixels of the gradient model. `coverage` is the share of pixels shown."""

    threshold: float
    coverage: float
    bounding_box: BoundingBoxOut | None
    constant: bool
    overlay: PictureOut
    heatmap: HeatmapOut | None


class ScaledMapOut(_Schema):
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


class ExplanationsOut(_Schema):
    """One block per method that was asked for; none for NORMAL unless `always=true`."""

    silhouette: Annotated[SilhouetteOut | None, _LEFT_OUT_IF_NONE] = None
    gradient: Annotated[GradientOut | None, _LEFT_OUT_IF_NONE] = None
    saliency: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam_plus_plus: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None


class TimingsOut(_Schema):
    """Milliseconds of wall-clock time per stage."""

    decode: float
    preprocess: float
    inference: float
    explain: float
    render: float
    total: float


class PredictOut(_Schema):
    """Answer of `/v1/predict`. `quality` is null only with the input gate off and models that cannot tell."""

    request_id: str
    disclaimer: str = DISCLAIMER
    model: ModelOut
    input: InputOut
    prediction: PredictionOut
    quality: QualityOut | None
    timings_ms: TimingsOut


class ExplainOut(PredictOut):
    """Answer of `/v1/explain`. `agreement` is null: comparing the methods is not built yet."""

    explanations: ExplanationsOut
    agreement: None = None


class DecisionOut(_Schema):
    """What decides at this site: the threshold on P(PNEUMONIA), and the prevalence that this probability assumes."""

    decision_threshold: float
    prevalence: float | None


class ModelCardOut(_Schema):
    """A served model. Sizes in pixels; thresholds and prevalences are null for a model that decides nothing.

    `decision_threshold` and `prevalence` are as published, `in_force` as this site's settings make of them.
    """

    name: str
    version: str
    architecture: str
    input_size: dict[Literal["height", "width"], int]
    decision_threshold: float | None
    prevalence: float | None
    in_force: DecisionOut | None
    evaluation: dict[str, Any] | None


class ModelsOut(_Schema):
    """Answer of `/v1/models`."""

    models: list[ModelCardOut]


class StatusOut(_Schema):
    """Answer of `/healthz` and of a ready `/readyz`."""

    status: Literal["ok", "ready"]


def _check_methods(methods: str) -> str:
    names = list(METHODS) if methods == "all" else [name.strip() for name in methods.split(",")]
    if any(name not in METHODS for name in names):
        raise ValueError(f"must be 'all' or a comma-separated list of {', '.join(METHODS)}")
    return ",".join(dict.fromkeys(names))


def _check_regions(regions: int | None) -> int | None:
    if regions is not None and regions not in GRIDS:
        raise ValueError(f"must be one of {', '.join(map(str, GRIDS))}")
    return regions


class NoQuery(_Schema):
    """Query of `/v1/predict`: none."""


class ExplainQuery(_Schema):
    """Query of `/v1/explain`."""

    methods: Annotated[
        str,
        AfterValidator(_check_methods),
        Field(description=f"Comma-separated: {', '.join(METHODS)}; or `all`."),
    ] = ",".join(DEFAULT_METHODS)
    threshold: Annotated[
        float,
        Field(
            ge=0.5,
            le=1,
            description="For `gradient`, the smallest importance of a pixel that is shown. For the other maps, the "
            "share of the map's maximum from which `coverage` and `bounding_box` count a value; the colours do not "
            "depend on it.",
        ),
    ] = 0.7
    always: Annotated[bool, Field(description="Explain a NORMAL answer too.")] = False
    overlay_format: Literal["png", "jpeg", "webp"] = "png"
    overlay_size: Annotated[int, Field(ge=64, le=2048, description="Longest side of an overlay, in pixels.")] = 512
    regions: Annotated[
        int | None,
        AfterValidator(_check_regions),
        Field(
            description=f"Regions of the grid of `silhouette` and `occlusion`: {_GRIDS}. Without it, the study's "
            "halves and quadrants."
        ),
    ] = None
    lungs: Annotated[bool, Field(description="Lay the grid of `silhouette` on the lungs, and look at them alone.")] = (
        False
    )
    fill: Annotated[
        Literal["blur", "mean", "black"],
        Field(description="What hides a region for `occlusion`: its blurred self, the mean around it, or black."),
    ] = "blur"
    trust: Annotated[
        Literal["quick", "full"],
        Field(description="`full` puts the maps to the test with further inferences: stability, deletion, insertion."),
    ] = "quick"

    def options(self) -> ExplainOptions:
        """Translate into the pipeline's terms."""
        methods = tuple(self.methods.split(","))
        return ExplainOptions(
            methods,
            self.threshold,
            self.always,
            self.overlay_format,
            self.overlay_size,
            self.regions,
            self.lungs,
            self.fill,
            self.trust,
        )
