"""Flags and words, on findings whose heat is counted by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain import METHODS
from api.explain.evidence import FRAME
from api.explain.graph_map import measure_map
from api.explain.trust import UNSTABLE, assess, examinations, looks_at_classifier
from api.explain.wording import listed
from api.types import (
    AffectedRegion,
    Assessment,
    ExplainOptions,
    Finding,
    Layer,
    LayersFinding,
    MapScale,
    MapTests,
    RelativeBox,
    SilhouetteFinding,
    Subject,
)
from tests.unit.explain.evidence_by_hand import block, two_lungs

SHAPE = (FRAME, FRAME)
SCALE = MapScale(1.0, "log-odds")
LUNGS = two_lungs().mask.astype(np.float32)  # rows 28 to 195; columns 28 to 83 and 140 to 195
LEFT_MIDDLE = block(SHAPE, slice(84, 140), slice(28, 84))
RIGHT_MIDDLE = block(SHAPE, slice(84, 140), slice(140, 196))
LAYERS = LayersFinding((Layer("late", np.ones((1, 2, 2), np.float32), (0,), 1.0),))


def subject(lungs: NDArray[np.float32] | None = LUNGS, **release: Any) -> Subject:
    image = np.zeros(SHAPE, np.uint8)
    return Subject(image, image, image, lungs, {"classifier_explain": release})


def pixels(values: NDArray[np.float32]) -> Finding:
    return measure_map(values, SCALE, 0.7, pixelwise=True)


def box(left: float, top: float, right: float, bottom: float) -> Finding:
    return SilhouetteFinding("image_left", "image_upper_left", RelativeBox(left, top, right, bottom), {})


def judge(lungs: NDArray[np.float32] | None = LUNGS, /, tests: Any = None, **findings: Finding) -> Assessment:
    return assess(findings, subject(lungs), tests or {})


def flags(assessment: Assessment) -> dict[str, tuple[str, ...]]:
    return {method: judged.flags for method, judged in assessment.trust.items()}


# Numbers and flags


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
    assert (assessment.agreement, assessment.affected_region) == (None, "no evidence")


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
    assessment = assess({"saliency": pixels(LEFT_MIDDLE)}, subject(**release), {})
    assert flags(assessment) == {"saliency": raised}


def test_feature_maps_are_not_judged() -> None:
    assessment = judge(layers=LAYERS, grad_cam=pixels(LEFT_MIDDLE))
    assert list(assessment.trust) == ["grad_cam"]


def test_without_lungs_nothing_is_said_of_them() -> None:
    for lungs in (None, np.zeros(SHAPE, np.float32)):
        assessment = judge(lungs, grad_cam=pixels(LEFT_MIDDLE), occlusion=pixels(RIGHT_MIDDLE))
        assert {judged.lung_energy for judged in assessment.trust.values()} == {None}
        assert flags(assessment) == {"grad_cam": (), "occlusion": ()}
        assert assessment.affected_region == "no lungs found"
        assert assessment.agreement is not None and assessment.agreement.score == 0
        assert "No lungs were found in the image" in assessment.text


def test_methods_that_look_at_the_classifier_vote_alone() -> None:
    """Two boxes that do not look at it cannot outvote one map that does."""
    boxes = {"silhouette": box(0.625, 0.375, 0.875, 0.625), "gradient": box(0.625, 0.375, 0.875, 0.625)}
    region = judge(**boxes, grad_cam=pixels(LEFT_MIDDLE)).affected_region
    assert isinstance(region, AffectedRegion)
    assert (region.sides, region.methods) == (("image_left",), ("grad_cam",))
    region = judge(**boxes).affected_region
    assert isinstance(region, AffectedRegion)
    assert (region.sides, region.methods) == (("image_right",), ("silhouette", "gradient"))


def test_only_methods_that_say_something_are_examined() -> None:
    findings = {"saliency": pixels(np.ones(SHAPE, np.float32)), "silhouette": box(0, 0, 0.5, 0.5), "layers": LAYERS}
    asked = examinations(findings, subject(), subject(), ExplainOptions(tuple(findings)))
    assert list(asked) == ["silhouette"]


# Words


def sentences(text: str) -> int:
    return text.count(". ") + 1


def test_methods_that_agree_are_said_to() -> None:
    lower_left = block(SHAPE, slice(140, 196), slice(28, 84))
    text = judge(grad_cam=pixels(lower_left), occlusion=pixels(lower_left)).text
    assert text == (
        "The explanation rests on Grad-CAM and occlusion, which show what the model reacted to. "
        "In the lungs, Grad-CAM and occlusion point to the left of the image (in a standard frontal view the patient's "
        "right), mostly in the lower third. "
        "They do not contradict each other, and agree well: on average 100% of the smaller marked area is shared. "
        "The outlined region takes up 16% of the lungs, on the left of the image, in the lower third; Grad-CAM and "
        "occlusion mark it. "
        "Nothing that was checked speaks against the pictures; still, the pictures show what the methods point to, not "
        "that there is disease."
    )


def test_methods_that_contradict_each_other_are_named_with_what_they_dispute() -> None:
    upper_right = block(SHAPE, slice(28, 84), slice(140, 196))
    text = judge(silhouette=box(0.5, 0.625, 1, 0.875), grad_cam=pixels(LEFT_MIDDLE), saliency=pixels(upper_right)).text
    assert "Grad-CAM and saliency, which show what the model reacted to, and on silhouette, which looks at the" in text
    assert (
        "They contradict each other: about the side, silhouette against Grad-CAM, and Grad-CAM against saliency; "
        "about the height in the lungs, silhouette against Grad-CAM and saliency, and Grad-CAM against saliency."
        in text
    )
    assert text.count("the patient's left") == text.count("the patient's right") == 1
    assert "No region is outlined: they do not agree on a place in the lungs." in text
    assert "Trust this little: the methods contradict each other" in text
    assert sentences(text) == 5


def test_one_method_that_does_not_look_at_the_classifier_is_to_be_trusted_little() -> None:
    text = judge(silhouette=box(0, 0, 0.5, 0.5)).text
    assert "silhouette, which looks at the image without asking the model." in text
    assert "there is nothing to compare this with" in text
    assert "Trust this little: no method shows what the model reacted to" in text


@pytest.mark.parametrize(
    ("tests", "release", "words"),
    [
        ({"grad_cam": MapTests(0.1)}, {}, "Grad-CAM changes when the image is moved slightly"),
        (
            {},
            {"fails_randomisation": ["grad_cam"]},
            "Grad-CAM shows much the same for a model that has learned nothing",
        ),
    ],
)
def test_doubts_about_one_of_two_methods_call_for_caution(
    tests: dict[str, MapTests], release: dict[str, Any], words: str
) -> None:
    findings = {"grad_cam": pixels(LEFT_MIDDLE), "occlusion": pixels(LEFT_MIDDLE)}
    assert f"Trust this with caution: {words}; and" in assess(findings, subject(**release), tests).text


def test_maps_beside_the_lungs_and_silent_ones_are_said_to_be() -> None:
    beside = block(SHAPE, slice(0, 20), slice(0, 224))
    findings = {name: pixels(beside) for name in ("grad_cam", "saliency")}
    text = judge(**findings, occlusion=pixels(np.zeros(SHAPE, np.float32))).text
    assert "Grad-CAM and saliency point nowhere." in text
    assert "No region is outlined: too few of them mark anything in the lungs." in text
    assert (
        "Trust this little: Grad-CAM and saliency fall on the lungs less than chance would; "
        "occlusion says nothing about this image; and" in text
    )


def test_nothing_to_go_by_is_said_plainly() -> None:
    text = judge(saliency=pixels(np.zeros(SHAPE, np.float32))).text
    assert text.startswith("None of the explanations asked for says anything about a place in this image.")
    assert sentences(text) == 2


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["saliency"], "saliency"),
        (["grad_cam", "silhouette"], "Grad-CAM and silhouette"),
        (["a", "grad_cam_plus_plus", "b_c"], "a, Grad-CAM++ and b c"),
    ],
)
def test_names_are_listed_as_in_a_sentence(methods: list[str], expected: str) -> None:
    assert listed(methods) == expected
