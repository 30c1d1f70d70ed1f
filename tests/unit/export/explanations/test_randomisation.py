"""Shuffled weights, and what becomes of the maps."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from api.types import Subject
from export.explanations.benchmark import FAILING_CORRELATION, summarise
from export.explanations.contenders import Contender, contenders, explain, look_at, maps_of
from export.explanations.measures import Bench, Measured, measure_randomised
from export.explanations.model_files import ModelFiles
from export.explanations.randomisation import explain_again, shuffle_weights
from tests.unit.export.explainable.networks import classifier as other_network
from tests.unit.export.explanations.conftest import BIAS, DENSE, KERNEL, OFFSET, classifier


def weights_of(model: onnx.ModelProto) -> dict[str, NDArray[np.float64]]:
    return {tensor.name: np.asarray(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}


def test_values_stay_and_their_places_and_signs_do_not() -> None:
    before = other_network()
    after = weights_of(shuffle_weights(before, seed=0))
    original = weights_of(before)
    for name in ("kernel", "dense"):
        np.testing.assert_array_equal(np.sort(abs(after[name]).ravel()), np.sort(abs(original[name]).ravel()))
        assert (after[name] != original[name]).any()
        assert after[name].dtype == original[name].dtype
    np.testing.assert_array_equal(np.sort(after["bias"]), np.sort(original["bias"]))
    assert weights_of(before).keys() == after.keys()
    again = weights_of(shuffle_weights(before, seed=0))
    assert all((again[name] == after[name]).all() for name in after)
    assert (weights_of(shuffle_weights(before, seed=1))["kernel"] != after["kernel"]).any()


def test_weights_stored_as_float16_are_found_behind_their_cast_and_constants_are_left() -> None:
    nodes = [
        helper.make_node("Cast", ["stored"], ["kernel"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["image", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "kernel"], ["maps"]),
    ]
    values = np.arange(1, 10, dtype=np.float16).reshape(1, 1, 3, 3)
    scale = np.array([0.5, 2.0], np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 2])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, "stored"), numpy_helper.from_array(scale, "scale")],
    )
    after = weights_of(shuffle_weights(helper.make_model(graph), seed=0))
    assert after["stored"].dtype == np.float16 and (after["stored"] != values).any()
    np.testing.assert_array_equal(after["scale"], scale)


def test_without_weights_there_is_nothing_to_shuffle() -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "bare", [], [])
    with pytest.raises(ValueError, match="bare"):
        shuffle_weights(helper.make_model(graph), seed=0)


def changed(models: ModelFiles, **weights: NDArray[np.float32]) -> ModelFiles:
    model = classifier()
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return models.with_networks(model.SerializeToString(), explain_again(model).SerializeToString())


@pytest.fixture
def subject(models: ModelFiles) -> Subject:
    """Every block of 16 x 16 has a grey of its own, brighter than the last."""
    blocks = np.linspace(3, 252, 64).astype(np.uint8).reshape(8, 8)
    return look_at(blocks.repeat(16, 0).repeat(16, 1), models)


def test_the_answer_is_that_of_the_network_by_hand(models: ModelFiles, subject: Subject) -> None:
    bright = subject.seen.mean() / 255
    expected = DENSE[0, 0] * bright + DENSE[1, 0] * (1 - bright) + OFFSET
    assert models.log_odds(subject.seen[np.newaxis])[0] == pytest.approx(expected, abs=1e-5)
    assert KERNEL.shape[0] == len(BIAS) == 2


def test_maps_of_a_network_that_prefers_the_dark_are_turned_round(models: ModelFiles, subject: Subject) -> None:
    chosen: dict[str, Contender] = {name: contenders()[name] for name in ("grad_cam", "grad_cam_plus_plus")}
    bench = Bench(Path(), models, chosen, levels=2)
    before = maps_of(explain(subject, chosen, models))
    same = measure_randomised(subject, before, models, bench)
    turned = measure_randomised(subject, before, changed(models, dense=DENSE[::-1].copy()), bench)
    for name in chosen:
        assert same[name]["rank_correlation"] == pytest.approx(1)
        assert same[name]["structural_similarity"] == pytest.approx(1)
        assert turned[name]["rank_correlation"] < -0.95
        assert turned[name]["silent"] == 0


def test_a_network_that_answers_nothing_leaves_nothing(models: ModelFiles, subject: Subject) -> None:
    chosen = {"grad_cam": contenders()["grad_cam"]}
    before = maps_of(explain(subject, chosen, models))
    nought = changed(models, dense=np.zeros_like(DENSE))
    kept = measure_randomised(subject, before, nought, Bench(Path(), models, chosen, levels=2))["grad_cam"]
    assert (kept["rank_correlation"], kept["silent"]) == (0, 1)


def measured(patient: str) -> Measured:
    names = ("silhouette", "grad_cam", "saliency", "random", "centre")
    values = {name: {"insertion": 1.0, "deletion": 1.0} for name in names}
    nothing = {(one, other): 0.0 for one in names for other in names}
    cells = {name: np.eye(28) for name in names}
    return Measured(patient, values, nothing, nothing, cells, frozenset(), None, None)


def test_a_method_fails_from_the_limit_on_and_one_that_sees_no_classifier_always() -> None:
    chosen = {name: contenders()[name] for name in ("silhouette", "grad_cam", "saliency")}
    kept = [
        {name: {"rank_correlation": value, "structural_similarity": 0.0, "silent": 0.0} for name, value in each.items()}
        for each in (
            {"grad_cam": FAILING_CORRELATION + 0.1, "saliency": 0.2},
            {"grad_cam": FAILING_CORRELATION - 0.1, "saliency": 0.4},
        )
    ]
    record = summarise([measured("a"), measured("b")], kept, ["a", "b"], chosen)
    assert record["fails_randomisation"] == ["grad_cam"]
    assert record["methods"]["silhouette"]["randomisation"]["passes"] is False
    assert record["methods"]["saliency"]["randomisation"]["rank_correlation"] == [0.3, 0.2, 0.4]
