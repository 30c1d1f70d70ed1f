"""What is decided of a radiograph, and by which rules."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

POSITIVE_LABEL = "PNEUMONIA"


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
    """What the operator decided: limits on one request, whether the input gate refuses, and the site's decision.

    `receipt_key` is a secret under which receipts are made, None to make them without. `service_version` is the
    gateway's own.
    """

    max_pixels: int
    request_timeout_s: float
    refuse_other_images: bool
    site: SiteDecision
    service_version: str
    receipt_key: bytes | None = field(default=None, repr=False)


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
class ModelIdentity:
    """Which model judged."""

    name: str
    version: str
    architecture: str
