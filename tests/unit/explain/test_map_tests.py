"""Stability, deletion and insertion, on maps and models that can be computed by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from api.explain.evidence import FRAME
from api.explain.map_tests import area_under, displacement, examine, rank, shift, similarity, steps_between
from api.types import Explainer, MapTests, Question, RelativeBox, SilhouetteFinding
from tests.unit.explain.evidence_by_hand import block, evidence

SHAPE = (FRAME, FRAME)
BOX = RelativeBox(0.25, 0.25, 0.5, 0.5)
SPOT = block(SHAPE, slice(56, 112), slice(56, 112))


def finding(box: RelativeBox) -> SilhouetteFinding:
    return SilhouetteFinding("image_left", "image_upper_left", box, {})


def again(box: RelativeBox) -> Explainer:
    yield from ()
    return finding(box)


def moved(box: RelativeBox, by: float) -> RelativeBox:
    return RelativeBox(box.left + by, box.top + by, box.right + by, box.bottom + by)


def run(explainer: Explainer | None, log_odds: Callable[[NDArray[np.uint8]], float]) -> tuple[MapTests, Question]:
    seen = np.zeros(SHAPE, np.uint8)
    seen[56:112, 56:112] = 255
    tests = examine(evidence("m", SPOT), seen, explainer)
    question = next(tests)
    logits = np.array([[0, log_odds(image)] for image in question.images])
    with pytest.raises(StopIteration) as stop:
        tests.send({"logits": logits})
    assert isinstance(stop.value.value, MapTests)
    return stop.value.value, question


def test_an_image_moves_right_and_down_and_repeats_its_rim() -> None:
    image = np.arange(112 * 112, dtype=np.uint32).reshape(112, 112)
    after = shift(image)
    np.testing.assert_array_equal(after[2:, 2:], image[:-2, :-2])
    np.testing.assert_array_equal(after[:2, 2:], np.tile(image[0, :-2], (2, 1)))
    np.testing.assert_array_equal(after[:, 1], after[:, 2])


def test_a_map_that_moves_along_is_stable_and_one_that_stays_is_less_so() -> None:
    heat = np.random.default_rng(0).random(SHAPE, np.float32)
    assert similarity(heat, shift(heat)) == pytest.approx(1, abs=1e-6)
    assert similarity(heat, heat) < 0.9
    other = np.random.default_rng(1).random(SHAPE, np.float32)
    assert abs(similarity(heat, other)) < 0.3
    left = block(SHAPE, slice(0, FRAME), slice(0, FRAME // 2))
    assert similarity(left, 1 - left) < -0.9


@pytest.mark.parametrize(
    ("side", "pixels"), [(28, 1), (40, 1), (56, 1), (83, 1), (85, 2), (100, 2), (224, 4), (1000, 18)]
)
def test_the_map_is_moved_back_by_the_shift_really_made(side: int, pixels: int) -> None:
    """On the common frame the shift is `pixels` sides of `side`, rounded to its points."""
    image = np.zeros((side, side), np.uint8)
    image[0, 0], image[side // 2, side // 2] = 1, 9
    assert np.argwhere(shift(image) == 9).tolist() == [[side // 2 + pixels] * 2]
    moved = displacement(image.shape)
    assert moved == (pixels / side, pixels / side)
    points = round(pixels / side * FRAME)
    heat = np.random.default_rng(2).random(SHAPE, np.float32)
    after = np.roll(heat, (points, points), (0, 1))
    assert similarity(heat, after, moved) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(27, 500), (500, 27), (1, 1)])
def test_an_image_that_one_pixel_moves_too_far_is_not_asked_about_stability(shape: tuple[int, int]) -> None:
    assert displacement(shape) is None
    assert shift(np.ones(shape, np.uint8)).shape == shape
    tests, _ = run(None, lambda _: 0.0)
    assert (tests.stability, tests.deletion, tests.insertion) == (None, 0.5, 0.5)


def test_a_map_that_becomes_constant_is_not_similar() -> None:
    assert similarity(SPOT, np.zeros(SHAPE, np.float32)) == 0


@pytest.mark.parametrize(("box", "stable"), [(moved(BOX, 1 / 56), True), (moved(BOX, 0.4), False)])
def test_the_method_is_asked_again_about_the_moved_radiograph(box: RelativeBox, stable: bool) -> None:
    tests, _ = run(again(box), lambda _: 0.0)
    assert tests.stability is not None
    assert (tests.stability > 0.99) is stable


def test_a_method_that_finds_nothing_on_the_moved_radiograph_is_not_stable() -> None:
    assert run(again(RelativeBox(0, 0, 1, 1)), lambda _: 0.0)[0].stability == 0.0


def test_the_most_important_come_first_and_of_equals_the_one_with_more_around_it() -> None:
    ranking = np.zeros((28, 28), np.float32)
    ranking[20, 20], ranking[3, 3] = 2.0, 1.0
    order = rank(ranking, (28, 28))
    assert order[:2].tolist() == [20 * 28 + 20, 3 * 28 + 3]
    assert sorted(order.tolist()) == list(range(28 * 28))
    near, far = order.tolist().index(20 * 28 + 21), order.tolist().index(0 * 28 + 27)
    assert near < 10 < far


def test_an_importance_of_another_size_is_brought_to_that_of_the_image() -> None:
    order = rank(np.array([[0, 0], [0, 1]], np.float32), (4, 4))
    assert order[0] == 15
    assert set(order[:4].tolist()) == {10, 11, 14, 15}


def test_each_step_changes_an_eighth_more() -> None:
    start, end = np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.uint8)
    order = np.arange(16)[::-1]
    steps = steps_between(start, end, order)
    assert len(steps) == 7
    for number, step in enumerate(steps, start=1):
        np.testing.assert_array_equal(step.ravel()[::-1], [9] * (2 * number) + [0] * (16 - 2 * number))
    assert not start.any()


@pytest.mark.parametrize(("values", "area"), [([1, 1, 1], 1), ([1, 0, 0], 0.25), ([0, 0, 1], 0.25), ([0, 1, 0], 0.5)])
def test_the_area_counts_the_ends_half(values: list[float], area: float) -> None:
    assert area_under(np.array(values, np.float64)) == area


def test_one_batch_asks_for_both_ways_and_the_scores_follow_their_definition() -> None:
    """A model that looks at one pixel of the spot: 0.5 is its probability where that is blurred, 0.9 where it is not.

    The spot is a sixteenth of the image: the first of 8 steps hides all of it, or shows all of it.
    """
    tests, question = run(again(BOX), lambda image: float(np.log(9)) if image[84, 84] == 255 else 0.0)
    assert (question.model, question.outputs, len(question.images)) == ("classifier", ("logits",), 16)
    assert tests.deletion == pytest.approx((0.9 / 2 + 0.5 * 7 + 0.5 / 2) / 8)
    assert tests.insertion == pytest.approx((0.5 / 2 + 0.9 * 7 + 0.9 / 2) / 8)


def test_nothing_is_hidden_of_the_first_image_and_all_of_the_hidden_one() -> None:
    _, question = run(again(BOX), lambda _: 0.0)
    seen, hidden = question.images[0], question.images[8]
    assert np.unique(seen).tolist() == [0, 255]
    assert hidden.max() < 200 and hidden[84, 84] > hidden[200, 200]
    first = question.images[1]
    np.testing.assert_array_equal(first[56:112, 56:112], hidden[56:112, 56:112])
    assert (first != seen).mean() <= 1 / 8
