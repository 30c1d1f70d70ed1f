"""What is said of an answer, sentence by sentence: cases in tables, on findings whose heat is counted by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from api.explain import METHODS
from api.explain.occlusion import SCALE as OCCLUSION_SCALE
from api.explain.trust import assess
from api.explain.wording import listed
from api.quality import HIDING_THE_PATIENTS_SIDES
from api.types import Assessment, Finding, Judged, MapTests, OcclusionFinding, Subject
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
    coarse,
    judge,
    pixels,
    subject,
)

NOTHING = np.zeros(SHAPE, np.float32)
BESIDE = block(SHAPE, slice(0, 20), slice(0, 224))
LOWER_LEFT = block(SHAPE, slice(140, 196), slice(28, 84))
UPPER_RIGHT = block(SHAPE, slice(28, 84), slice(140, 196))
BOTH_SIDES = LEFT_MIDDLE + RIGHT_MIDDLE
AGREEING: Mapping[str, Finding] = {"grad_cam": pixels(LOWER_LEFT), "occlusion": pixels(LOWER_LEFT)}
NO_DISEASE = "the pictures show what the methods point to, not that there is disease."
NO_DROP = OcclusionFinding(1.0, "mean", OCCLUSION_SCALE, (), (), None, None, None)


def told(
    findings: Mapping[str, Finding],
    judged: Judged | None = None,
    of: Subject | None = None,
    tests: Mapping[str, MapTests] | None = None,
) -> str:
    assessment: Assessment = assess(findings, of or subject(**MEASURED), tests or {}, judged or answer())
    return assessment.text


def sentences(text: str) -> int:
    return text.count(". ") + 1


def test_methods_that_agree_are_said_to() -> None:
    assert told(AGREEING) == (
        "The model says PNEUMONIA. "
        "The explanation rests on Grad-CAM and occlusion, which are computed from the model. "
        "In the lungs, Grad-CAM and occlusion point to the left of the image (in a standard frontal view the patient's "
        "right), mostly in the lower third. "
        "The methods agree well (on average 100% of the smaller marked area is shared), and point to no opposite sides "
        "or heights; the largest part that Grad-CAM and occlusion mark together is outlined: 16% of the lungs, on the "
        "left of the image, in the lower third. "
        f"Nothing that was checked speaks against the pictures; still, {NO_DISEASE}"
    )


def test_methods_that_contradict_each_other_are_named_with_what_they_dispute() -> None:
    findings = {
        "silhouette": box(0.5, 0.625, 1, 0.875),
        "grad_cam": pixels(LEFT_MIDDLE),
        "saliency": pixels(UPPER_RIGHT),
    }
    text = told(findings)
    assert "Grad-CAM and saliency, which are computed from the model, and on silhouette, which looks at the" in text
    assert (
        "The methods contradict each other: silhouette, Grad-CAM and saliency about the side and the height in the "
        "lungs; no region is outlined: they do not agree on a place in the lungs." in text
    )
    assert text.count("the patient's left") == text.count("the patient's right") == 1
    assert "Trust this little: the methods contradict each other" in text
    assert "silhouette points" not in text
    assert sentences(text) == 5


def test_two_disputes_of_different_methods_are_told_apart() -> None:
    both_lower = block(SHAPE, slice(140, 196), slice(28, 196)) * LUNGS
    text = judge(grad_cam=pixels(LEFT_MIDDLE), saliency=pixels(UPPER_RIGHT), occlusion=pixels(both_lower)).text
    assert (
        "contradict each other: Grad-CAM and saliency about the side, "
        "and Grad-CAM, saliency and occlusion about the height in the lungs;" in text
    )


# Which answer is explained

NEVERTHELESS = "; the pictures show what spoke for pneumonia nevertheless. "


@pytest.mark.parametrize(
    ("judged", "begins"),
    [
        (answer(), "The model says PNEUMONIA. "),
        (answer(indeterminate=True), "The model says PNEUMONIA (indeterminate). "),
        (answer("NORMAL"), f"The model says NORMAL{NEVERTHELESS}"),
        (answer("NORMAL", indeterminate=True), f"The model says NORMAL (indeterminate){NEVERTHELESS}"),
    ],
)
@pytest.mark.parametrize("findings", [AGREEING, {"grad_cam": coarse(NOTHING)}])
def test_the_text_begins_with_the_answer_that_it_explains(
    judged: Judged, begins: str, findings: Mapping[str, Finding]
) -> None:
    assert told(findings, judged).startswith(begins)


# Where nobody can look


@pytest.mark.parametrize(
    ("lungs", "said", "unsaid"),
    [
        (None, "Where the lungs are is unknown, as no lung model is served.", "No lungs were found"),
        (np.zeros(SHAPE, np.float32), "No lungs were found in the image, so nobody can say where", "no lung model"),
    ],
    ids=["unknown", "not found"],
)
@pytest.mark.parametrize("second", [LEFT_MIDDLE, RIGHT_MIDDLE], ids=["same", "apart"])
def test_without_lungs_no_place_is_named_and_no_contradiction_denied(
    lungs: Any, said: str, unsaid: str, second: Any
) -> None:
    text = judge(lungs, grad_cam=pixels(LEFT_MIDDLE), occlusion=pixels(second)).text
    assert said in text and unsaid not in text
    for words in ("opposite", "contradict", "third", "of the image (", "outlined"):
        assert words not in text


# What the gate warns of


@pytest.mark.parametrize(
    ("warning", "words"),
    [
        ("rotated", "the image seems to be rotated"),
        ("inverted", "the image seems to be inverted"),
        ("lateral", "the image seems to be taken from the side"),
        ("lungs_not_found", "no lungs were found in the image"),
        ("not_a_chest_radiograph", "the image does not look like a chest radiograph"),
        ("mirrored", "the image is said to be mirrored"),
        ("orientation_unknown", "how the image is oriented is not clear"),
        ("not_a_radiograph", "the image is said to be no radiograph"),
        ("other_body_part", "the image is said to show another part of the body"),
    ],
)
def test_a_picture_of_which_the_gate_warns_is_to_be_trusted_little(warning: str, words: str) -> None:
    text = told(AGREEING, answer("PNEUMONIA", warning), tests={"grad_cam": MapTests(0.1)})
    assert f"Trust this little: {words}; Grad-CAM changes" in text
    assert "the patient's" not in text
    assert ("third" in text) is (warning not in ("rotated", "not_a_chest_radiograph", "lungs_not_found"))
    assert ("No lungs were found in the image, so" in text) is (warning == "lungs_not_found")
    assert words in told({"grad_cam": coarse(NOTHING)}, answer("PNEUMONIA", warning))


@pytest.mark.parametrize("warning", sorted(HIDING_THE_PATIENTS_SIDES))
def test_no_side_of_the_patient_is_named_where_it_is_in_doubt(warning: str) -> None:
    text = told(AGREEING, answer("PNEUMONIA", warning))
    assert "the left of the image" in text and "the patient's" not in text
    assert "Trust this little: " in text


def test_a_picture_that_is_merely_unlike_the_training_data_keeps_its_sides() -> None:
    assert told(AGREEING, answer("PNEUMONIA", "unlike_training_data")) == told(AGREEING)


# How far they agree


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            slice(84, 140),
            "The methods agree well (on average 100% of the smaller marked area is shared), and point to no",
        ),
        (slice(112, 168), "The methods agree in part (on average 50% of the smaller marked area is shared), and point"),
        (slice(126, 182), "The methods mark largely different places: on average 25% of the smaller marked area is"),
    ],
)
def test_how_far_methods_agree_is_said_by_what_they_share(rows: slice, said: str) -> None:
    """Both mark the left; the other's heat lies in thirds of which none is decisive: the middle ends at row 140."""
    other = block(SHAPE, rows, slice(28, 84)) + block(SHAPE, slice(28, 84), slice(140, 196), 0.4)
    text = judge(grad_cam=pixels(LEFT_MIDDLE), saliency=pixels(other)).text
    assert said in text
    assert ("the methods mark largely different places" in text) is ("largely different" in said)
    if "largely different" in said:
        assert "opposite" not in text


def test_a_method_beside_the_lungs_lets_nobody_deny_contradictions() -> None:
    mostly_beside = block(SHAPE, slice(84, 140), slice(28, 140)) + block(SHAPE, slice(84, 140), slice(84, 140), 9)
    text = judge(grad_cam=pixels(LEFT_MIDDLE + 0.1 * RIGHT_MIDDLE), saliency=coarse(mostly_beside)).text
    assert "saliency lies mostly outside the lungs" in text
    assert "saliency points" not in text
    assert "opposite" not in text and "contradict" not in text


# Doubts


@pytest.mark.parametrize(
    ("methods", "doubts"),
    [
        (("silhouette",), "Trust this little: no method is computed from the model; only one method speaks; and"),
        (("silhouette", "gradient"), "Trust this little: no method is computed from the model; and"),
        (("grad_cam",), "Trust this with caution: only one method speaks; and"),
    ],
)
def test_few_methods_are_a_doubt_and_outline_nothing(methods: tuple[str, ...], doubts: str) -> None:
    findings = {method: box(0.125, 0.375, 0.375, 0.625) for method in methods}
    text = told(findings)
    assert doubts in text
    assert (
        "no region is outlined: that takes two methods that look at the model and depend on what it has learned."
        in text
    )
    assert ("there is nothing to compare this with" in text) is (len(methods) == 1)


FAILING = subject(fails_randomisation=["grad_cam_plus_plus"])
UNMEASURED = subject(fails_randomisation=None)


@pytest.mark.parametrize(
    ("of", "tests", "words"),
    [
        (None, {"grad_cam": MapTests(0.1)}, "Grad-CAM changes when the image is moved slightly"),
        (
            None,
            {"grad_cam": MapTests(1.0, 0.6, 0.5), "occlusion": MapTests(1.0, 0.5, 0.6)},
            "Grad-CAM picks areas that matter to the model no more than the rest",
        ),
        (UNMEASURED, {}, "it was not measured whether Grad-CAM depends on what the model has learned"),
        (subject(), {}, "it was not measured whether Grad-CAM depends on what the model has learned"),
    ],
)
def test_doubts_about_one_of_two_methods_call_for_caution(
    of: Subject | None, tests: dict[str, MapTests], words: str
) -> None:
    assert f"Trust this with caution: {words}; and" in told(AGREEING, of=of, tests=tests)


def test_whether_methods_depend_on_the_model_is_not_asked_of_those_that_cannot_fail() -> None:
    findings = {"occlusion": pixels(LOWER_LEFT), "silhouette": box(0.125, 0.625, 0.375, 0.875)}
    assert "not measured" not in told(findings, of=UNMEASURED)


def test_a_method_that_fails_randomisation_is_said_to_and_counts_for_no_place() -> None:
    findings = {**AGREEING, "grad_cam_plus_plus": pixels(UPPER_RIGHT)}
    text = told(findings, of=FAILING)
    assert (
        "rests on Grad-CAM and occlusion, which are computed from the model, and on Grad-CAM++, which hardly depends "
        "on what the model has learned. " in text
    )
    assert "Grad-CAM++ points" not in text
    assert "Grad-CAM++ shows much the same for a model that has learned nothing" in text
    assert "the largest part that Grad-CAM and occlusion mark together is outlined" in text


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ({"grad_cam": coarse(NOTHING)}, "Grad-CAM finds nothing that speaks for pneumonia"),
        ({"occlusion": NO_DROP}, "occlusion finds nothing that speaks for pneumonia"),
        (
            {"grad_cam": coarse(NOTHING), "occlusion": NO_DROP},
            "Grad-CAM and occlusion find nothing that speaks for pneumonia",
        ),
        ({"grad_cam": coarse(NOTHING + 1)}, "Grad-CAM says nothing about this image"),
        ({"saliency": pixels(NOTHING)}, "saliency says nothing about this image"),
        ({"grad_cam": coarse(np.full(SHAPE, np.nan, np.float32))}, "Grad-CAM could not be computed"),
    ],
)
def test_methods_that_mark_nothing_say_so(finding: dict[str, Finding], words: str) -> None:
    assert told(finding) == (
        f"The model says PNEUMONIA. None of the explanations asked for marks a place in this image: {words}. "
        "Nothing can be said of what the result rests on."
    )
    beside_others = {"grad_cam_plus_plus": pixels(LOWER_LEFT), "silhouette": box(0.125, 0.625, 0.375, 0.875), **finding}
    assert f"Trust this with caution: {words}; and" in told(beside_others)


def test_feature_maps_alone_mark_no_place() -> None:
    assert "None of the explanations asked for marks a place in this image. Nothing" in told({"layers": LAYERS})


def test_maps_beside_the_lungs_and_silent_ones_are_said_to_be() -> None:
    findings = {name: pixels(BESIDE) for name in ("grad_cam", "saliency")}
    text = told({**findings, "occlusion": NO_DROP})
    assert "no region is outlined: too few of them mark anything in the lungs." in text
    assert (
        "Trust this little: Grad-CAM and saliency mark nothing in the lungs; "
        "occlusion finds nothing that speaks for pneumonia; and" in text
    )
    assert "nowhere" not in text and "In the lungs, " not in text


def test_all_methods_at_odds_still_make_five_sentences() -> None:
    """Each method but `layers` marks another of six places, and everything that can be doubted is."""
    corners = [block(SHAPE, slice(r, r + 56), slice(c, c + 56)) for c in (28, 140) for r in (28, 84, 140)]
    methods = [method for method in METHODS if method != "layers"]
    findings = {method: pixels(corner) for method, corner in zip(methods, corners, strict=True)}
    tests = dict.fromkeys(methods, MapTests(0.0, 0.6, 0.4))
    text = told({**findings, "layers": LAYERS}, answer("NORMAL", "inverted", indeterminate=True), FAILING, tests)
    assert sentences(text) == 5
    everybody = "silhouette, gradient, saliency, Grad-CAM, Grad-CAM++ and occlusion"
    assert f"contradict each other: {everybody} about the side and the height in the lungs; no region" in text
    assert "Trust this little: the image seems to be inverted; the methods contradict each other; " in text
    told_places = text.split("In the lungs, ")[1].split(". ")[0]
    assert told_places.count("point") == 3  # saliency, Grad-CAM and occlusion: the others do not count


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
