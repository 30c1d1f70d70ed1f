"""The input gate: whether an image is a chest radiograph at all, and what is unusual about it."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from api.types import GateLimits, Quality

FRONTAL = "frontal"
UNLIKE_TRAINING_DATA = "unlike_training_data"
LUNGS_NOT_FOUND = "lungs_not_found"
NOT_A_CHEST_RADIOGRAPH = "not_a_chest_radiograph"
# Warnings, be they of pixels or of tags, that the patient's right may not be on the viewer's left.
HIDING_THE_PATIENTS_SIDES = frozenset(
    {
        "rotated",
        "mirrored",
        "lateral",
        "inverted",
        "orientation_unknown",
        "not_a_radiograph",
        "other_body_part",
        NOT_A_CHEST_RADIOGRAPH,
    }
)
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG", "TORAX", "TORACE")
_CHEST_CODES = frozenset({"816094009", "51185008", "39607008", "T-D3000", "T-28000"})  # chest, thorax, lung
_MASK_THRESHOLD = 0.5
_MOST_UNCERTAIN = 4.0
_LOG_ODDS_AT_UNLIKE = float(np.log(9))  # a score of 0.9


def names_chest(body_part: str, region_codes: Collection[str]) -> bool:
    """Tell whether DICOM tags name a chest: Body Part Examined, or codes of Anatomic Region Sequence."""
    named = any(word in body_part.upper() for word in _CHEST_WORDS)
    return named or not _CHEST_CODES.isdisjoint(region_codes)


def mask_evidence(mask: NDArray[np.floating]) -> tuple[float, float]:
    """Measure a lung mask.

    Parameters
    ----------
    mask
        Probability of lung per pixel, shape ``[H, W]``, 0 to 1.

    Returns
    -------
    area
        Share of the frame with a probability of at least 0.5, 0 to 1.
    uncertainty
        Mean of 4p(1-p) over the mean of p: 0 for a mask of zeros and ones, 2 for one of halves, 4 at most and for
        an empty mask.
    """
    p = np.asarray(mask, dtype=np.float64)
    area = float((p >= _MASK_THRESHOLD).mean())
    mass = float(p.mean())
    uncertainty = float((4 * p * (1 - p)).mean()) / mass if mass > 0 else _MOST_UNCERTAIN
    return area, uncertainty


def assess(
    ood_score: float, presentation: Mapping[str, float], mask: NDArray[np.floating] | None, limits: GateLimits
) -> Quality:
    """Judge whether an image is a chest radiograph.

    It is none if `ood_score` is over `refuse`, or over `unlike` while the mask is not that of lungs. The mask counts
    for a frontal presentation alone: the segmenter finds no lungs in chests that are rotated, inverted or seen from
    the side. An image that is no chest radiograph is not said to be one of these. The one of the two limits that
    applies is L; ``score = 1 / (1 + 9 ** ((ood_score - L) / (refuse -
    unlike)))`` is 0.5 at L and falls with `ood_score`; with a plausible mask it is 0.9 at `unlike`.

    Parameters
    ----------
    ood_score
        Distance from the training data, any real number.
    presentation
        Probability of each way to present a chest: `frontal` and others, which become warnings of their own name.
        Empty if unknown.
    mask
        Probability of lung per pixel, shape ``[H, W]``, 0 to 1; None if there is none, which speaks neither way.
    limits
        What was published with the models.
    """
    lungs_found = mask is None or _plausible(mask, limits)
    shown = max(presentation, key=presentation.__getitem__, default=FRONTAL)
    limit = limits.refuse if lungs_found or shown != FRONTAL else limits.unlike
    is_chest_xray = ood_score <= limit
    found = {
        NOT_A_CHEST_RADIOGRAPH: not is_chest_xray,
        UNLIKE_TRAINING_DATA: ood_score > limits.unlike,
        LUNGS_NOT_FOUND: not lungs_found,
        shown: shown != FRONTAL and is_chest_xray,
    }
    return Quality(
        is_chest_xray, _score(ood_score, limit, limits), tuple(code for code, holds in found.items() if holds)
    )


def _plausible(mask: NDArray[np.floating], limits: GateLimits) -> bool:
    area, uncertainty = mask_evidence(mask)
    smallest, largest = limits.lung_area
    return smallest <= area <= largest and uncertainty <= limits.lung_uncertainty


def _score(ood_score: float, limit: float, limits: GateLimits) -> float:
    log_odds = _LOG_ODDS_AT_UNLIKE * (limit - ood_score) / (limits.refuse - limits.unlike)
    return float(np.exp(-np.logaddexp(0.0, -log_odds)))
