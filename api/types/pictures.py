"""Pictures of findings, and what a client asks of them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from api.types.boxes import BoundingBox
from api.types.findings import Fill, Finding

Trust: TypeAlias = Literal["quick", "full"]
OverlayFormat: TypeAlias = Literal["png", "jpeg", "webp"]


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
