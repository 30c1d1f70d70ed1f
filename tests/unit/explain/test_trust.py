"""Numbers, flags and votes, on findings whose heat is counted by hand; the words are in `test_wording`."""

from typing import Any

import numpy as np
import pytest

from api.explain import METHODS
from api.explain.trust import UNSTABLE, assess, examinations, looks_at_classifier
from api.types import AffectedRegion, ExplainOptions, MapTests, Subject
from tests.unit.explain.evidence_by_hand import block
from tests.unit.explain.findings_by_hand import (
    LAYERS,
    LEFT_MIDDLE,
    LUNGS,
    MEASURED,
    RIGHT_MIDDLE,
    SHAPE,
    answer,
    box,
    flags,
    judge,
    pixels,
    subject,
)


def test_lung_energy_is_the_share_of_heat_in_the_lungs() -> None:
    """Three parts in the lung, one part beside it."""
    heat = 3 * LEFT_MIDDLE + block(SHAPE, slice(84, 140), slice(84, 140))
    assessment = judge(grad_cam=pixels(heat))
    assert assessment.trust["grad_cam"].lung_energy == pytest.approx(0.75)
    assert assessment.trust["grad_cam"].tests == MapTests(None, None, None)
    assert flags(assessment) == {"grad_cam": ()}


@pytest.mark.parametrize(("weight", "flag"), [(0.9, True), (1.0, False), (1.1, False)])
def test_less_heat_in_the_lungs_than_a_map_that_is_the_same_everywhere_is_flagged(weight: float, flag: bool) -> None:
    """The lungs take up 3/8 of the frame; a dot of another level keeps the middle case from being constant."""
    heat = np.where(LUNGS > 0, np.float32(weight), np.float32(1))
    heat[0, 0], heat[0, 1] = 0.5, 1.5
    assessment = judge(saliency=pixels(heat))
    energy = 3 * weight / (3 * weight + 5)
    assert assessment.trust["saliency"].lung_energy == pytest.approx(energy, abs=1e-4)
    assert ("outside_lungs" in flags(assessment)["saliency"]) is flag


def test_methods_that_contradict_are_flagged_and_the_others_are_not() -> None:
    both = LEFT_MIDDLE + RIGHT_MIDDLE
    assessment = judge(grad_cam=pixels(LEFT_MIDDLE), saliency=pixels(both), occlusion=pixels(RIGHT_MIDDLE))
    assert flags(assessment) == {"grad_cam": ("contradicting",), "saliency": (), "occlusion": ("contradicting",)}
    assert assessment.agreement is not None
    assert [pair.disputed for pair in assessment.agreement.contradicting] == [("side",)]


@pytest.mark.parametrize(
    ("stability", "raised"), [(None, ()), (UNSTABLE - 0.01, ("unstable",)), (UNSTABLE, ()), (1.0, ())]
)
def test_a_map_that_changes_with_a_shift_is_unstable(stability: float | None, raised: tuple[str, ...]) -> None:
    tests = {"grad_cam": MapTests(stability, 0.2, 0.8)}
    assessment = judge(tests=tests, grad_cam=pixels(LEFT_MIDDLE))
    assert flags(assessment) == {"grad_cam": raised}
    assert assessment.trust["grad_cam"].tests == tests["grad_cam"]


def test_maps_that_say_nothing_are_flagged_and_have_no_energy() -> None:
    broken = LEFT_MIDDLE.copy()
    broken[0, 0] = np.nan
    assessment = judge(saliency=pixels(np.ones(SHAPE, np.float32)), grad_cam=pixels(broken))
    assert flags(assessment) == {"saliency": ("constant",), "grad_cam": ("non_finite",)}
    assert {judged.lung_energy for judged in assessment.trust.values()} == {None}
    assert (assessment.agreement, assessment.affected_region) == (None, "too few methods")


def test_which_methods_look_at_the_classifier_follows_from_the_models_they_ask() -> None:
    apart = {method for method in METHODS if not looks_at_classifier(method)}
    assert apart == {"silhouette", "gradient"}
    assessment = judge(silhouette=box(0.125, 0.375, 0.375, 0.625), grad_cam=pixels(LEFT_MIDDLE))
    assert flags(assessment) == {"silhouette": ("independent_of_classifier",), "grad_cam": ()}


@pytest.mark.parametrize(
    ("published", "raised"),
    [(None, ()), ([], ()), (["grad_cam"], ()), (["saliency", 3], ("fails_randomisation",)), ("saliency", ())],
)
def test_what_failed_when_it_was_published_is_marked(published: object, raised: tuple[str, ...]) -> None:
    release: dict[str, Any] = {} if published is None else {"fails_randomisation": published}
    assessment = assess({"saliency": pixels(LEFT_MIDDLE)}, subject(**release), {}, answer())
    assert flags(assessment) == {"saliency": raised}


def test_feature_maps_are_not_judged() -> None:
    assessment = judge(layers=LAYERS, grad_cam=pixels(LEFT_MIDDLE))
    assert list(assessment.trust) == ["grad_cam"]


def test_without_lungs_nothing_is_said_of_them() -> None:
    for lungs, reason in ((None, "lungs unknown"), (np.zeros(SHAPE, np.float32), "no lungs found")):
        assessment = judge(lungs, grad_cam=pixels(LEFT_MIDDLE), occlusion=pixels(RIGHT_MIDDLE))
        assert {judged.lung_energy for judged in assessment.trust.values()} == {None}
        assert flags(assessment) == {"grad_cam": (), "occlusion": ()}
        assert assessment.affected_region == reason
        assert assessment.agreement is not None and assessment.agreement.score == 0


def test_lungs_that_the_gate_does_not_believe_are_none() -> None:
    findings = {"grad_cam": pixels(LEFT_MIDDLE), "occlusion": pixels(LEFT_MIDDLE)}
    doubted = assess(findings, subject(**MEASURED), {}, answer("PNEUMONIA", "lungs_not_found"))
    assert doubted.affected_region == "no lungs found"
    assert {judged.lung_energy for judged in doubted.trust.values()} == {None}
    assert isinstance(assess(findings, subject(**MEASURED), {}, answer()).affected_region, AffectedRegion)


def test_methods_that_look_at_the_classifier_vote_alone() -> None:
    """Two boxes that do not look at it cannot outvote two maps that do."""
    boxes = {"silhouette": box(0.625, 0.375, 0.875, 0.625), "gradient": box(0.625, 0.375, 0.875, 0.625)}
    region = judge(**boxes, grad_cam=pixels(LEFT_MIDDLE), occlusion=pixels(LEFT_MIDDLE)).affected_region
    assert isinstance(region, AffectedRegion)
    assert (region.sides, region.methods) == (("image_left",), ("grad_cam", "occlusion"))
    assert judge(**boxes, grad_cam=pixels(LEFT_MIDDLE)).affected_region == "too few methods"
    assert judge(**boxes).affected_region == "too few methods"


def test_a_method_that_fails_randomisation_has_no_vote() -> None:
    """With its vote on the right it would be two against two."""
    left, right = pixels(LEFT_MIDDLE), pixels(RIGHT_MIDDLE)
    findings = {"saliency": left, "grad_cam": left, "grad_cam_plus_plus": right, "occlusion": right}
    assert judge(**findings).affected_region == "methods disagree"
    published = subject(fails_randomisation=["grad_cam_plus_plus"])
    region = assess(findings, published, {}, answer()).affected_region
    assert isinstance(region, AffectedRegion)
    assert (region.sides, region.methods) == (("image_left",), ("saliency", "grad_cam"))
    two = {name: findings[name] for name in ("grad_cam", "grad_cam_plus_plus")}
    assert assess(two, published, {}, answer()).affected_region == "too few methods"


@pytest.mark.parametrize(
    ("deletion", "insertion", "raised"),
    [(0.4, 0.6, ()), (0.5, 0.5, ("unfaithful",)), (0.6, 0.4, ("unfaithful",)), (None, None, ())],
)
def test_a_map_whose_first_pixels_matter_no_more_than_its_last_is_unfaithful(
    deletion: float | None, insertion: float | None, raised: tuple[str, ...]
) -> None:
    tests = {"grad_cam": MapTests(1.0, deletion, insertion)}
    assert flags(judge(tests=tests, grad_cam=pixels(LEFT_MIDDLE))) == {"grad_cam": raised}


@pytest.mark.parametrize(("side", "asked_again"), [(27, False), (28, True)])
def test_an_image_that_is_too_small_to_be_moved_is_not_asked_about_again(side: int, asked_again: bool) -> None:
    """The silhouette asks nothing itself: its first question is that of deletion and insertion either way."""
    image, seen = np.zeros((side, side), np.uint8), np.zeros((128, 128), np.uint8)
    small = Subject(image, seen, seen, None, {})
    tests = examinations({"silhouette": box(0, 0, 0.5, 0.5)}, small, small, ExplainOptions(("silhouette",)))
    examining = tests["silhouette"]
    question = next(examining)
    with pytest.raises(StopIteration) as stop:
        examining.send({"logits": np.zeros((len(question.images), 2))})
    assert (stop.value.value.stability is not None) is asked_again


def test_only_methods_that_say_something_are_examined() -> None:
    findings = {"saliency": pixels(np.ones(SHAPE, np.float32)), "silhouette": box(0, 0, 0.5, 0.5), "layers": LAYERS}
    asked = examinations(findings, subject(), subject(), ExplainOptions(tuple(findings)))
    assert list(asked) == ["silhouette"]
