"""Explanations side by side: who is asked what in which round, and who is told what."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from api.rounds import advance, in_rounds
from api.types import Answer, Explainer, Finding, Question, RelativeBox, SilhouetteFinding

IMAGE, SAME_PIXELS, OTHER = np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), np.ones((3, 3), np.uint8)


def finding(name: str, **scores: float) -> SilhouetteFinding:
    return SilhouetteFinding(name, name, RelativeBox(0, 0, 1, 1), scores)


def asking(name: str, *questions: Question) -> Explainer:
    """Ask questions one after the other, and find what the answers say."""
    scores: dict[str, float] = {}
    for number, question in enumerate(questions):
        answer = yield question
        scores |= {f"{number}.{output}": float(values[0]) for output, values in answer.items()}
    return finding(name, **scores)


def question(model: str, *outputs: str, images: Sequence[NDArray[np.uint8]] = (IMAGE,), lax: str = "") -> Question:
    return Question(model, images, outputs, frozenset(lax.split()))


def run(explainers: dict[str, Explainer]) -> tuple[list[list[Question]], Mapping[str, Finding]]:
    """Run to the end; each output is answered with 10 times the round plus the place of the question in it."""
    rounds = in_rounds(explainers)
    asked: list[list[Question]] = []
    step = advance(rounds, None)
    while not isinstance(step, Mapping):
        asked.append(list(step))
        step = advance(rounds, [answer_to(q, 10 * len(asked) + place) for place, q in enumerate(step)])
    return asked, step


def answer_to(question: Question, value: float) -> Answer:
    return {output: np.array([value]) for output in question.outputs}


def test_without_questions_there_is_no_round() -> None:
    asked, findings = run({"b": asking("b"), "a": asking("a")})
    assert asked == []
    assert findings == {"b": finding("b"), "a": finding("a")}
    assert list(findings) == ["b", "a"]
    assert run({}) == ([], {})


def test_the_same_images_for_the_same_model_are_one_question_with_all_outputs() -> None:
    explainers = {
        "a": asking("a", question("m", "x", "y")),
        "b": asking("b", question("m", "y", "z", images=[IMAGE])),
        "c": asking("c", question("m", "z")),
    }
    asked, findings = run(explainers)
    ((merged,),) = asked
    assert (merged.model, merged.outputs) == ("m", ("x", "y", "z"))
    assert len(merged.images) == 1
    assert merged.images[0] is IMAGE
    # Each is told what it asked for and no more, so that it finds the same alone and in company.
    assert findings["a"] == finding("a", **{"0.x": 10, "0.y": 10})
    assert findings["b"] == finding("b", **{"0.y": 10, "0.z": 10})
    assert findings["c"] == finding("c", **{"0.z": 10})


@pytest.mark.parametrize(
    "other",
    [
        question("n", "x"),
        question("m", "x", images=(OTHER,)),
        question("m", "x", images=(SAME_PIXELS,)),
        question("m", "x", images=(IMAGE, OTHER)),
    ],
    ids=["another model", "another image", "a copy", "more images"],
)
def test_other_models_and_other_images_are_questions_of_their_own_in_the_same_round(other: Question) -> None:
    asked, findings = run({"a": asking("a", question("m", "x")), "b": asking("b", other)})
    assert [len(questions) for questions in asked] == [2]
    assert (findings["a"], findings["b"]) == (finding("a", **{"0.x": 10}), finding("b", **{"0.x": 11}))


def test_some_ask_longer_than_others_and_may_meet_in_a_later_round() -> None:
    explainers = {
        "none": asking("none"),
        "two": asking("two", question("m", "x"), question("n", "x")),
        "one": asking("one", question("m", "x")),
        "three": asking("three", question("k", "x"), question("n", "y"), question("m", "x")),
    }
    asked, findings = run(explainers)
    assert [[q.model for q in questions] for questions in asked] == [["m", "k"], ["n"], ["m"]]
    assert asked[1][0].outputs == ("x", "y")
    assert findings["two"] == finding("two", **{"0.x": 10, "1.x": 20})
    assert findings["one"] == finding("one", **{"0.x": 10})
    assert findings["three"] == finding("three", **{"0.x": 11, "1.y": 20, "2.x": 30})
    assert list(findings) == list(explainers)


@pytest.mark.parametrize(
    ("first", "second", "lax"),
    [
        (question("m", "x", lax="x"), question("m", "y", lax="y"), {"x", "y"}),
        (question("m", "x", lax="x"), question("m", "y"), {"x"}),
        (question("m", "x", lax="x"), question("m", "x"), set()),
        (question("m", "x", lax="x"), question("m", "y", lax="x y"), {"x", "y"}),
    ],
)
def test_an_output_that_one_method_relies_on_has_to_be_finite_for_all(
    first: Question, second: Question, lax: set[str]
) -> None:
    for pair in ((first, second), (second, first)):
        ((merged,),), _ = run({name: asking(name, q) for name, q in zip("ab", pair, strict=True)})
        assert merged.may_be_non_finite == lax


def test_a_failure_of_one_method_ends_the_round() -> None:
    def failing() -> Explainer:
        yield question("m", "x")
        raise ValueError("no")

    rounds = in_rounds({"a": failing(), "b": asking("b", question("m", "x"))})
    (merged,) = next(rounds)
    with pytest.raises(ValueError, match="no"):
        rounds.send([answer_to(merged, 1.0)])
