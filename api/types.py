"""What the stages of a request hand to each other."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ImageFormat: TypeAlias = Literal["jpeg", "png"]
Fill: TypeAlias = Literal["blur", "mean", "black"]
Trust: TypeAlias = Literal["quick", "full"]
OverlayFormat: TypeAlias = Literal["png", "jpeg", "webp"]
MapUnit: TypeAlias = Literal["log-odds", "log-odds per grey level", "arbitrary units"]
Side: TypeAlias = Literal["image_left", "image_right"]
BorderName: TypeAlias = Literal["heart", "diaphragm"]
Zone: TypeAlias = Literal["upper", "middle", "lower"]
Disputed: TypeAlias = Literal["side", "zone"]
NoLungs: TypeAlias = Literal["no lungs found", "lungs unknown"]
NoRegionReason: TypeAlias = Literal["methods disagree", "too few methods", "no evidence"] | NoLungs
TrustFlag: TypeAlias = Literal[
    "outside_lungs",
    "contradicting",
    "unstable",
    "constant",
    "non_finite",
    "independent_of_classifier",
    "fails_randomisation",
    "unfaithful",
]


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A decoded chest radiograph.

    `pixels` are grey levels of shape ``[rows, columns]``, 0 (black) to 255, upright as the viewer sees them.
    `bit_depth` is that of the file (1, 2, 4, 8 or 16), before scaling to 8 bits.
    """

    pixels: NDArray[np.uint8]
    format: ImageFormat
    bit_depth: int

    @property
    def height(self) -> int:
        """Rows of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A box in pixels, x to the right, y down. It covers columns ``x`` to ``x + width - 1``, rows likewise."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RelativeBox:
    """A box as shares of the frame, 0 to 1: independent of the resolution at which it was found."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classifier's answer. `probability` is that of `label`; all probabilities are calibrated.

    They assume the share `prevalence` of PNEUMONIA among the radiographs, None if it is unknown.
    """

    label: str
    probability: float
    indeterminate: bool
    probabilities: Mapping[str, float]
    decision_threshold: float
    prevalence: float | None = None


@dataclass(frozen=True, slots=True)
class SiteDecision:
    """What a site decides in place of what was published with the classifier; None leaves that as it is.

    `prevalence` is the site's share of PNEUMONIA, `decision_threshold` holds on P(PNEUMONIA) at that prevalence; both
    lie between 0 and 1.
    """

    prevalence: float | None = None
    decision_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided: limits on one request, whether the input gate refuses, and the site's decision."""

    max_pixels: int
    request_timeout_s: float
    refuse_other_images: bool
    site: SiteDecision


@dataclass(frozen=True, slots=True)
class GateLimits:
    """The limits published with the models, between which an image passes for a chest radiograph.

    `unlike` and `refuse`, with ``unlike < refuse``, are on the classifier's `ood_score`, which grows with the distance
    from the training data. `lung_area`, lowest and highest, and `lung_uncertainty`, highest, are on the
    segmenter's mask; the defaults let every mask pass.
    """

    unlike: float
    refuse: float
    lung_area: tuple[float, float] = (0.0, 1.0)
    lung_uncertainty: float = math.inf


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether an image is a chest radiograph, how clearly (`score`, 0 to 1), and codes of what is unusual about it."""

    is_chest_xray: bool
    score: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer that is explained: what the classifier says, and the codes of what is unusual about the image.

    `positive` tells whether it says that there is what the explanations look for.
    """

    prediction: Prediction
    positive: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What an explanation is made of; all methods of a request look at the same one.

    `pixels` is the radiograph as sent, `study` its direct shrink to the study's 128 x 128 pixels, `seen` what the
    classifier sees of it: grey levels, ``[rows, columns]``, 0 (black) to 255. `lungs` is the lung segmenter's mask of
    the whole frame at its own resolution, 0 to 1; None if the models cannot tell. `releases` holds what was published
    with the models that the methods name, by model.
    """

    pixels: NDArray[np.uint8]
    study: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    lungs: NDArray[np.float32] | None
    releases: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """Images that are to be judged by a model, in one batch.

    `images` are grey levels, each ``[rows, columns]``; whoever asks the model resizes them to its input. Methods that
    ask about the same arrays share one inference. An answer that is not finite is an error, except in the outputs named
    by `may_be_non_finite`, of which whoever asks takes care.
    """

    model: str
    images: Sequence[NDArray[np.uint8]]
    outputs: tuple[str, ...]
    may_be_non_finite: frozenset[str] = frozenset()


Answer: TypeAlias = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class SilhouetteFinding:
    """Which half and quadrant lost its silhouette by the study's rule, and the shares that decided it."""

    half: str
    quadrant: str
    region: RelativeBox
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RegionScore:
    """How bright a region of a grid is. `rank` is 1 for the brightest.

    `cell` is its place in the grid, `region` the box around what was looked at in it: on the lungs, around the lung.
    Score, rank and region are None where it holds too little lung.
    """

    name: str
    cell: RelativeBox
    region: RelativeBox | None
    score: float | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class BorderSharpness:
    """How sharp a border of the lung is on one side, and where it was traced.

    `sharpness` is the share of the lung's contrast by which the grey level rises over 1 % of the frame.
    `normals_less_sharp` is the share of normal radiographs in which this border is less sharp. `auc` says how well
    sharpness tells NORMAL from PNEUMONIA in radiographs of like processing, with the 95 % interval `auc_95`. `path` is
    a line of points, x and y as shares of the frame.
    """

    border: BorderName
    side: Side
    sharpness: float
    normals_less_sharp: float
    auc: float
    auc_95: tuple[float, float]
    path: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SilhouetteGridFinding:
    """Which region of a grid is the brightest: of the frame, or with `lungs` of the lungs alone.

    `lungs` marks the lungs, ``[h, w]`` over the whole frame. Nothing is named if there are none: `winner` is None then.
    `half` and `quadrant` are where the winner lies in the grid; `quadrant` is None in a middle row. `borders` is
    None where they were not measured.
    """

    regions: tuple[RegionScore, ...]
    winner: RegionScore | None
    half: Side | None
    quadrant: str | None
    lungs: NDArray[np.bool_] | None = None
    borders: tuple[BorderSharpness, ...] | None = None

    @property
    def region(self) -> RelativeBox | None:
        """Where the winner lies."""
        return self.winner.region if self.winner else None

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of the regions that have one, by name."""
        return {region.name: region.score for region in self.regions if region.score is not None}


@dataclass(frozen=True, slots=True)
class GradientFinding:
    """Which pixels the gradient model weighs most.

    `importance` is ``[h, w]``, min-maxed to 0..1 within this image; `raw_range` gives the raw values of 0 and 1.
    `shown` marks the pixels at or above `threshold`, `region` encloses them; both are empty for a constant map.
    """

    importance: NDArray[np.float32]
    raw_range: tuple[float, float]
    threshold: float
    shown: NDArray[np.bool_]
    region: RelativeBox | None
    constant: bool

    @property
    def coverage(self) -> float:
        """Share of pixels shown, 0 to 1."""
        return float(self.shown.mean())


@dataclass(frozen=True, slots=True)
class MapScale:
    """The scale of a map's colours: from 0 to `upper`, in `unit`, the same for all images."""

    upper: float
    unit: MapUnit


@dataclass(frozen=True, slots=True)
class MapFinding:
    """A map computed in the model's graph, on a scale that is the same for all images.

    `values` is ``[h, w]``, not negative, in the unit of `scale`; of a signed map, the absolute values. `strongest`
    marks what reaches `threshold` times the map's own maximum, and `region` encloses it. A map that is `constant` or
    `non_finite` says nothing: nothing of it is marked, and it must not be drawn. With `pixelwise`, each value belongs
    to a pixel of the image; otherwise to a point of a coarse grid, between which it changes smoothly.
    """

    values: NDArray[np.float32]
    scale: MapScale
    threshold: float
    strongest: NDArray[np.bool_]
    region: RelativeBox | None
    constant: bool
    non_finite: bool
    pixelwise: bool

    @property
    def coverage(self) -> float:
        """Share of the map marked as strongest, 0 to 1."""
        return float(self.strongest.mean())

    @property
    def drawable(self) -> bool:
        """Whether the map says anything that could be drawn."""
        return not (self.constant or self.non_finite)


@dataclass(frozen=True, slots=True)
class RegionDrop:
    """What hiding a region takes away from the log-odds of PNEUMONIA; negative if it adds to them.

    `rank` is 1 for the largest drop among the regions of the same size.
    """

    name: str
    region: RelativeBox
    drop: float
    rank: int


@dataclass(frozen=True, slots=True)
class OcclusionFinding:
    """What the classifier loses when regions of the radiograph are hidden from it.

    `baseline` is the log-odds of the whole radiograph. `regions` holds every region that was hidden, `drawn` those of
    them that are coloured, all of one size. `strongest` has the largest drop of these; it is None if hiding lowers the
    log-odds nowhere. `half` and `quadrant` are those with the largest drop, None if it counts for nothing or none were
    hidden.
    """

    baseline: float
    fill: Fill
    scale: MapScale
    regions: tuple[RegionDrop, ...]
    drawn: tuple[RegionDrop, ...]
    strongest: RegionDrop | None
    half: str | None
    quadrant: str | None

    @property
    def region(self) -> RelativeBox | None:
        """Where the strongest region lies."""
        return self.strongest.region if self.strongest else None


@dataclass(frozen=True, slots=True)
class Layer:
    """The strongest channels of one layer, strongest first.

    `maps` are ``[k, h, w]``, `channels` the k channels that they come from, counted from 0. Colours run from 0 to
    `upper`, the same for all images.
    """

    name: str
    maps: NDArray[np.float32]
    channels: tuple[int, ...]
    upper: float

    @property
    def signed(self) -> bool:
        """Whether a value is negative, so that colours stand for absolute values."""
        return bool((self.maps < 0).any())

    @property
    def drawable(self) -> bool:
        """Whether all values are numbers."""
        return bool(np.isfinite(self.maps).all())


@dataclass(frozen=True, slots=True)
class LayersFinding:
    """What layers of the network make of the radiograph, from the earliest to the last. It points at no region."""

    layers: tuple[Layer, ...]

    @property
    def region(self) -> None:
        """No region."""
        return None


Finding: TypeAlias = (
    SilhouetteFinding | SilhouetteGridFinding | GradientFinding | MapFinding | OcclusionFinding | LayersFinding
)
Explainer: TypeAlias = Generator[Question, Answer, Finding]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture as a file. `value_range` gives the values that grey levels 0 and 255 stand for, if it is a map."""

    media_type: str
    width: int
    height: int
    data: bytes
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A finding with its pictures, None where there is nothing to draw.

    `bounding_box` is in pixels of the image as sent. `montages` are the pictures of a finding that has several.
    """

    finding: Finding
    bounding_box: BoundingBox | None
    overlay: EncodedImage | None
    heatmap: EncodedImage | None = None
    montages: tuple[EncodedImage | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What a client asks of the explanations.

    `threshold` is 0.5 to 1, `overlay_size` the longest side in pixels. `regions` is the number of regions of a grid,
    None for the study's own halves and quadrants; with `lungs` the grid lies on the lungs alone. `fill` is what hides a
    region. `trust` says whether the explanations are put to the test with further inferences.
    """

    methods: tuple[str, ...]
    threshold: float = 0.7
    always: bool = False
    overlay_format: OverlayFormat = "png"
    overlay_size: int = 512
    regions: int | None = None
    lungs: bool = False
    fill: Fill = "mean"
    trust: Trust = "quick"


@dataclass(frozen=True, slots=True)
class Pair:
    """How two methods compare: `overlap` and `jaccard` of their regions, 0 to 1, and what they `disputed`."""

    methods: tuple[str, str]
    overlap: float
    jaccard: float
    disputed: tuple[Disputed, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the methods of an answer agree: every pair, and the mean of their overlaps as `score`, 0 to 1."""

    score: float
    pairs: tuple[Pair, ...]

    @property
    def contradicting(self) -> tuple[Pair, ...]:
        """The pairs that contradict each other."""
        return tuple(pair for pair in self.pairs if pair.disputed)


@dataclass(frozen=True, slots=True)
class AffectedRegion:
    """The part of the lungs that the methods agree on.

    `outline` is a closed line, its last point the first one, of ``(x, y)`` as shares of the frame; `region` encloses
    what is inside. `share_of_lungs` is 0 to 1, `sides` and `zones` hold a notable part of it each, and `methods` point
    there.
    """

    outline: tuple[tuple[float, float], ...]
    region: RelativeBox
    share_of_lungs: float
    sides: tuple[Side, ...]
    zones: tuple[Zone, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapTests:
    """What came of putting one method's map to the test with further inferences, None where nothing did.

    `stability` is -1 to 1, `deletion` and `insertion` are mean probabilities of PNEUMONIA, 0 to 1.
    """

    stability: float | None = None
    deletion: float | None = None
    insertion: float | None = None


@dataclass(frozen=True, slots=True)
class MethodTrust:
    """How far one method's picture can be trusted. `lung_energy` is the share of its heat in the lungs, 0 to 1."""

    lung_energy: float | None
    tests: MapTests
    flags: tuple[TrustFlag, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the methods of an answer say together, how far to trust each, and all of it in plain English.

    `agreement` is None if fewer than two methods say anything. Instead of a region, there may be a reason why there is
    none.
    """

    agreement: Agreement | None
    affected_region: AffectedRegion | NoRegionReason
    trust: Mapping[str, MethodTrust]
    text: str


@dataclass(frozen=True, slots=True)
class OutlinedRegion:
    """The affected region on the image as sent, in its pixels: `polygon` is closed, its last point the first one."""

    polygon: tuple[tuple[float, float], ...]
    bounding_box: BoundingBox
    overlay: EncodedImage


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model judged."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known about one radiograph when the request ends.

    `quality` is None if the models cannot tell, `explanations` if none were asked for. `assessment` is None where
    there is no explanation to assess, and `affected_region` where there is none to outline.
    """

    model: ModelIdentity
    radiograph: Radiograph
    prediction: Prediction
    quality: Quality | None
    explanations: Mapping[str, Explanation] | None
    timings_ms: Mapping[str, float]
    assessment: Assessment | None = None
    affected_region: OutlinedRegion | None = None
