"""What the findings of an answer say together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from api.types.boxes import BoundingBox, RelativeBox
from api.types.findings import Side
from api.types.pictures import EncodedImage

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
