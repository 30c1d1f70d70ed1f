"""What each method finds."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from api.types.boxes import RelativeBox
from api.types.questions import Answer, Question

Fill: TypeAlias = Literal["blur", "mean", "black"]
MapUnit: TypeAlias = Literal["log-odds", "log-odds per grey level", "arbitrary units"]
Side: TypeAlias = Literal["image_left", "image_right"]
BorderName: TypeAlias = Literal["heart", "diaphragm"]


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
