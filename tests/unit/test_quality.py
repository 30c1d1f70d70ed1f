"""The rule of the input gate, on values worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from api import acquisition
from api.quality import HIDING_THE_PATIENTS_SIDES, NOT_A_CHEST_RADIOGRAPH, assess, mask_evidence, names_chest
from api.types import GateLimits

LIMITS = GateLimits(unlike=10, refuse=20, lung_area=(0.2, 0.5), lung_uncertainty=0.5)
FRONTAL = {"frontal": 0.7, "rotated": 0.1, "inverted": 0.1, "lateral": 0.1}


def mask_of(area: float, confidence: float = 1.0) -> NDArray[np.float64]:
    """A mask of 10 x 10 pixels that covers whole rows."""
    mask = np.zeros((10, 10))
    mask[: round(10 * area)] = confidence
    return mask


LUNGS = mask_of(0.3)


@pytest.mark.parametrize(
    ("mask", "area", "uncertainty"),
    [
        (mask_of(0.3), 0.3, 0),
        (mask_of(1), 1, 0),
        (mask_of(0.3, 0.9), 0.3, 0.4),  # 4 * 0.9 * 0.1 on 0.3 of the frame, over a mean of 0.27
        (mask_of(0.3, 0.5), 0.3, 2),  # a probability of 0.5 counts as lung
        (mask_of(0.3, 0.4), 0, 2.4),
        (mask_of(0), 0, 4),
    ],
)
def test_evidence_of_a_mask(mask: NDArray[np.float64], area: float, uncertainty: float) -> None:
    assert mask_evidence(mask) == pytest.approx((area, uncertainty))


def test_a_hard_core_with_a_soft_rim_is_between_the_two() -> None:
    mask = mask_of(0.3)
    mask[3] = 0.25  # 4 * 0.25 * 0.75 on a tenth of the frame, over a mean of 0.325
    assert mask_evidence(mask) == pytest.approx((0.3, 0.075 / 0.325))


@pytest.mark.parametrize(
    ("ood_score", "lungs_found", "is_chest_xray", "score"),
    [
        (-90, True, True, 1),
        (10, True, True, 0.9),
        (15, True, True, 0.75),
        (20, True, True, 0.5),
        (20.001, True, False, 0.5),
        (30, True, False, 0.1),
        (0, False, True, 0.9),
        (10, False, True, 0.5),
        (10.001, False, False, 0.5),
        (15, False, False, 0.25),
        (1e12, False, False, 0),
    ],
)
def test_the_limit_is_lower_where_no_lungs_are_found(
    ood_score: float, lungs_found: bool, is_chest_xray: bool, score: float
) -> None:
    quality = assess(ood_score, FRONTAL, LUNGS if lungs_found else mask_of(0), LIMITS)
    assert quality.is_chest_xray == is_chest_xray
    assert quality.score == pytest.approx(score, abs=1e-3)
    assert ("not_a_chest_radiograph" in quality.warnings) == (not is_chest_xray)


def test_the_score_falls_with_distance_and_crosses_a_half_where_the_image_is_refused() -> None:
    for mask in (LUNGS, mask_of(0)):
        judged = [assess(ood_score, FRONTAL, mask, LIMITS) for ood_score in np.linspace(-20, 60, 801)]
        assert (np.diff([quality.score for quality in judged]) < 0).all()
        assert all(quality.is_chest_xray == (quality.score >= 0.5 - 1e-12) for quality in judged)


@pytest.mark.parametrize(
    ("mask", "plausible"),
    [
        (mask_of(0.1), False),
        (mask_of(0.2), True),
        (mask_of(0.5), True),
        (mask_of(0.6), False),
        (mask_of(0.3, 0.88), True),  # uncertainty 4 * 0.12
        (mask_of(0.3, 0.87), False),  # uncertainty 4 * 0.13
        (None, True),
    ],
)
def test_lungs_are_found_if_neither_too_small_nor_too_large_nor_diffuse(
    mask: NDArray[np.float64] | None, plausible: bool
) -> None:
    assert assess(0, FRONTAL, mask, LIMITS).warnings == (() if plausible else ("lungs_not_found",))


@pytest.mark.parametrize(("ood_score", "warned"), [(10, False), (10.5, True), (20, True)])
def test_a_radiograph_unlike_the_training_data_is_warned_of(ood_score: float, warned: bool) -> None:
    quality = assess(ood_score, FRONTAL, LUNGS, LIMITS)
    assert quality.is_chest_xray
    assert quality.warnings == (("unlike_training_data",) if warned else ())


@pytest.mark.parametrize("label", ["rotated", "inverted", "lateral"])
def test_the_most_probable_presentation_is_named_unless_frontal(label: str) -> None:
    presentation = {**dict.fromkeys(FRONTAL, 0.2), label: 0.4}
    assert assess(0, presentation, LUNGS, LIMITS).warnings == (label,)
    assert assess(0, {**presentation, "frontal": 0.5}, LUNGS, LIMITS).warnings == ()
    assert assess(0, {}, LUNGS, LIMITS).warnings == ()


@pytest.mark.parametrize("label", ["rotated", "inverted", "lateral"])
def test_no_lungs_count_against_a_frontal_view_alone(label: str) -> None:
    """The segmenter knows frontal views only; what it says of others would refuse what is to be named."""
    turned = assess(15, {"frontal": 0.2, label: 0.8}, mask_of(0), LIMITS)
    assert turned.is_chest_xray
    assert turned.warnings == ("unlike_training_data", "lungs_not_found", label)
    assert turned.score == pytest.approx(0.75)
    assert not assess(20.001, {"frontal": 0.2, label: 0.8}, mask_of(0), LIMITS).is_chest_xray


@pytest.mark.parametrize("label", ["rotated", "inverted", "lateral"])
@pytest.mark.parametrize("mask", [LUNGS, mask_of(0), None])
def test_what_is_no_chest_is_not_said_to_show_one_in_some_way(label: str, mask: NDArray[np.float64] | None) -> None:
    """A blank frame has a nearest presentation too."""
    presentation = {"frontal": 0.1, label: 0.9}
    assert label in assess(20, presentation, mask, LIMITS).warnings
    refused = assess(20.001, presentation, mask, LIMITS)
    assert refused.warnings[:2] == ("not_a_chest_radiograph", "unlike_training_data")
    assert label not in refused.warnings
    assert refused.score == pytest.approx(0.5, abs=1e-3), "the score does not jump"


def test_all_findings_are_listed_the_weightiest_first() -> None:
    assert assess(21, FRONTAL, mask_of(0), LIMITS).warnings == (
        "not_a_chest_radiograph",
        "unlike_training_data",
        "lungs_not_found",
    )
    assert assess(15, {"frontal": 0.1, "lateral": 0.9}, mask_of(0), LIMITS).warnings == (
        "unlike_training_data",
        "lungs_not_found",
        "lateral",
    )


def test_what_hides_the_patients_sides_are_codes_that_there_are() -> None:
    of_tags = {value for name, value in vars(acquisition).items() if name.isupper() and isinstance(value, str)}
    of_pixels = {"rotated", "inverted", "lateral", NOT_A_CHEST_RADIOGRAPH}
    assert of_pixels <= HIDING_THE_PATIENTS_SIDES <= of_pixels | of_tags
    assert HIDING_THE_PATIENTS_SIDES & of_tags == of_tags - {
        acquisition.VIEW_UNKNOWN, acquisition.BODY_PART_UNKNOWN, acquisition.MODALITY_UNKNOWN,
        acquisition.BURNED_IN, acquisition.FOR_PROCESSING,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body_part", "codes", "expected"),
    [
        ("CHEST", (), True),
        ("Thorax", (), True),
        ("LUNGS", ("72696002",), True),
        ("", ("51185008",), True),
        ("", ("72696002", "816094009"), True),
        ("", (), False),
        ("RIB", (), False),
        ("KNEE", ("72696002",), False),
    ],
)
def test_a_chest_is_named_by_a_word_or_a_code(body_part: str, codes: tuple[str, ...], expected: bool) -> None:
    assert names_chest(body_part, codes) is expected
