"""The JSON of REST contract version 1, as it stands on the wire."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.explain import DEFAULT_METHODS, METHODS
from api.explain.grid import GRIDS
from api.reports.fhir import is_subject
from api.types import (
    DISCLAIMER,
    BorderName,
    Disputed,
    ExplainOptions,
    Fill,
    MapUnit,
    NoRegionReason,
    Side,
    TrustFlag,
    Zone,
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
    """The image as sent, after EXIF orientation. `bit_depth` is what a DICOM object calls Bits Stored."""

    format: Literal["dicom", "jpeg", "png"]
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

    `warnings` are codes. From the pixels: `rotated`, `inverted`, `lateral`, `unlike_training_data`, `lungs_not_found`,
    `not_a_chest_radiograph`. From the tags of a DICOM object: `view_unknown`, `body_part_unknown`, `modality_unknown`
    where they say nothing, `burned_in_annotation`, `for_processing`, `rotated`, `mirrored`, and while the input gate is
    off `lateral`, `other_body_part`, `not_a_radiograph`.
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


class RegionScoreOut(_Schema):
    """A region of a grid. `rank` is 1 for the brightest; all but the name is null where it holds too little lung."""

    name: str
    score: float | None
    rank: int | None
    bounding_box: BoundingBoxOut | None


class BorderOut(_Schema):
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


class SilhouetteOut(_Schema):
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


class RegionDropOut(_Schema):
    """What hiding a region takes away from the log-odds; negative if it adds to them. `rank` 1 is the largest drop.

    Regions of one size are ranked among themselves.
    """

    name: str
    drop: float
    rank: int
    bounding_box: BoundingBoxOut


class OcclusionOut(_Schema):
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


class LayerOut(_Schema):
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


class LayersOut(_Schema):
    """Feature maps of early and late layers, the earliest first: what the network looks at, and no evidence."""

    layers: list[LayerOut]


class ExplanationsOut(_Schema):
    """One block per method that was asked for; none for NORMAL unless `always=true`."""

    silhouette: Annotated[SilhouetteOut | None, _LEFT_OUT_IF_NONE] = None
    gradient: Annotated[GradientOut | None, _LEFT_OUT_IF_NONE] = None
    saliency: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    grad_cam_plus_plus: Annotated[ScaledMapOut | None, _LEFT_OUT_IF_NONE] = None
    occlusion: Annotated[OcclusionOut | None, _LEFT_OUT_IF_NONE] = None
    layers: Annotated[LayersOut | None, _LEFT_OUT_IF_NONE] = None


class ModelRecordOut(_Schema):
    """A model and the SHA-256 of its file, as published; null if it was not."""

    name: str
    version: str
    sha256: str | None


class ReceiptOut(_Schema):
    """What proves later which model said what of which file. It holds nothing of the patient.

    `input_sha256` is the SHA-256 of the file as sent; if `keyed`, its HMAC-SHA256 under the site's `CXR_RECEIPT_KEY`.
    `model` gave the answer, `other_models` judged the input or explained. `probability` is that of `label`, rounded.
    `mac` is the HMAC-SHA256 under the same key of the receipt without it, as JSON with sorted keys and no white space;
    null without a key.
    """

    input_sha256: str
    keyed: bool
    model: ModelRecordOut
    other_models: list[ModelRecordOut]
    parameters: dict[str, str | int | float | bool | list[str] | None]
    service_version: str
    label: str
    probability: float
    indeterminate: bool
    mac: str | None


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
    receipt: ReceiptOut


class ContradictionOut(_Schema):
    """Two methods that contradict each other, and in what."""

    methods: tuple[str, str]
    disputed: Annotated[list[Disputed], Field(alias="in")]


class PairOut(_Schema):
    """How far two methods mark the same place, 0 to 1.

    `overlap` is the share of the smaller marked area that lies in the larger one, `jaccard` the share of both together
    that lies in both.
    """

    methods: tuple[str, str]
    overlap: float
    jaccard: float


class AgreementOut(_Schema):
    """How far the methods agree. `score` is the mean overlap of all `pairs`.

    Two methods contradict each other in `side` or `zone` if each has at least 60 % of what it shows of the lungs in one
    half, or one third of their height, and not in the same one. A method that points past the lungs contradicts nobody.
    """

    score: Annotated[float, Field(ge=0, le=1)]
    contradicting: list[ContradictionOut]
    pairs: list[PairOut]


class AffectedRegionOut(_Schema):
    """The largest connected part of the lungs that most methods point to, or the `reason` why there is none.

    All else is null then. Methods vote that look at the classifier and are not flagged `fails_randomisation`.
    `too few methods`: fewer than two of them look at the model, so that there is nobody to agree. `lungs unknown`: no
    lung model is served. `no lungs found`: it marks too little, or nothing like lungs. `no evidence`: too few mark
    anything in the lungs. `methods disagree`: they mark different places.

    Other parts that they agree on are not outlined, and count for nothing here. `polygon` is closed, its last point the
    first one, in pixels of the image as sent; where it cuts a corner of the lungs, area and box count the lungs alone.
    `side` is `both` and `zone` names several if each holds at least 20 % of the region; zones are thirds of the lungs'
    height. `methods` are those that point there. It is no proof of disease at this place.
    """

    reason: NoRegionReason | None
    polygon: list[tuple[float, float]] | None = None
    area_percent_of_lungs: float | None = None
    bounding_box: BoundingBoxOut | None = None
    side: Side | Literal["both"] | None = None
    zone: list[Zone] | None = None
    methods: list[str] | None = None
    overlay: PictureOut | None = None


class MethodTrustOut(_Schema):
    """How far one method's picture can be trusted; null is what could not be, or was not, measured.

    `lung_energy` is the share of what the method shows that lies in the lungs. With `trust=full`: `stability`, -1 to 1,
    is the correlation with the map of the radiograph moved by 1/56 of its width and height; `deletion` and `insertion`
    are the mean probability of PNEUMONIA while the most important pixels are hidden first (low is good) or shown first
    (high is good), as in Petsiuk et al. 2018, with a blurred copy and 8 steps. An image of fewer than 28 pixels a
    side is too small to be moved slightly, and `stability` is null.
    """

    lung_energy: float | None
    stability: float | None
    deletion: float | None
    insertion: float | None
    flags: list[TrustFlag]


class TrustOut(_Schema):
    """How far to trust the explanations: in plain words, all flags raised, and for each method that points to places.

    The words begin with the answer that is explained, and put what `quality` warns of before all other doubts.
    `outside_lungs`: less of what the method shows lies in the lungs than their share of the image, which is chance.
    `contradicting`: it contradicts another.
    `unstable`: it changes with a small shift of the image. `constant` and `non_finite`: it says nothing here.
    `independent_of_classifier`: it does not look at the classifier, and cannot show how that decides.
    `fails_randomisation`: when measured for the release, it hardly changed with a classifier that had learned nothing.
    `unfaithful`: `insertion` is not above `deletion`, so what it picks matters to the classifier no more than the rest.
    """

    text: str
    flags: list[TrustFlag]
    methods: dict[str, MethodTrustOut]


class ExplainOut(PredictOut):
    """Answer of `/v1/explain`.

    Without explanations, the last three are null; `agreement` is so too if fewer than two methods say anything.
    """

    explanations: ExplanationsOut
    agreement: AgreementOut | None
    affected_region: AffectedRegionOut | None
    trust: TrustOut | None


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


def _check_subject(subject: str | None) -> str | None:
    if subject is not None and not is_subject(subject):
        raise ValueError("must be Patient/ID, or system|value with a URI as system")
    return subject


def _check_regions(regions: int | None) -> int | None:
    if regions is not None and regions not in GRIDS:
        raise ValueError(f"must be one of {', '.join(map(str, GRIDS))}")
    return regions


class PredictQuery(_Schema):
    """Query of `/v1/predict`."""

    subject: Annotated[
        str | None,
        AfterValidator(_check_subject),
        Field(
            description="For FHIR alone: whom the answer is about, as `Patient/ID` or `system|value`. It is repeated "
            "in the answer, and kept and logged nowhere."
        ),
    ] = None


class ExplainQuery(PredictQuery):
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
    ] = "mean"
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
