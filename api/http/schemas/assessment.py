"""How far the explanations agree, where they point together, and how far to trust them."""

from typing import Annotated, Literal

from pydantic import Field

from api.http.schemas.base import Schema
from api.http.schemas.pictures import BoundingBoxOut, PictureOut
from api.types import Disputed, NoRegionReason, Side, TrustFlag, Zone


class ContradictionOut(Schema):
    """Two methods that contradict each other, and in what."""

    methods: tuple[str, str]
    disputed: Annotated[list[Disputed], Field(alias="in")]


class PairOut(Schema):
    """How far two methods mark the same place, 0 to 1.

    `overlap` is the share of the smaller marked area that lies in the larger one, `jaccard` the share of both together
    that lies in both.
    """

    methods: tuple[str, str]
    overlap: float
    jaccard: float


class AgreementOut(Schema):
    """How far the methods agree. `score` is the mean overlap of all `pairs`.

    Two methods contradict each other in `side` or `zone` if each has at least 60 % of what it shows of the lungs in one
    half, or one third of their height, and not in the same one. A method that points past the lungs contradicts nobody.
    """

    score: Annotated[float, Field(ge=0, le=1)]
    contradicting: list[ContradictionOut]
    pairs: list[PairOut]


class AffectedRegionOut(Schema):
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


class MethodTrustOut(Schema):
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


class TrustOut(Schema):
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
