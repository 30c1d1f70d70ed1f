"""Gradients that can be worked out by hand, above all where differences say nothing: at ties and at kinks."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.differentiate import Scalar, add_gradients
from tests.unit.export.differentiate.gradients import (
    Network,
    check_model,
    gradients_in_reference,
    node,
    run_in_runtime,
    single,
)
from tests.unit.export.differentiate.tensors import Array


def gradient_of(network: Network, x: Any, weights: dict[int, float]) -> Array:
    """Compute the gradient in float64, and make sure that ONNX Runtime finds the same in float32."""
    feeds = {"x": np.asarray(x, np.float64)}
    model = add_gradients(network.build(), Scalar("y", weights), {"x": "dx"})
    check_model(model, len(network.nodes))
    found = gradients_in_reference(model, feeds, ["x"])["x"]
    single_precision = add_gradients(network.build(np.float32), Scalar("y", weights), {"x": "dx"})
    np.testing.assert_allclose(run_in_runtime(single_precision, feeds, ["dx"])[0], found, rtol=1e-6)
    return found


def max_pool(size: tuple[int, ...], **attributes: Any) -> Network:
    return single("MaxPool", {"x": ("n", 1, *size)}, **attributes)


def test_max_pool_gives_a_constant_image_to_the_first_place_of_each_window() -> None:
    network = max_pool((4, 4), kernel_shape=[2, 2], strides=[2, 2])
    found = gradient_of(network, np.full((1, 1, 4, 4), 7.0), {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0})
    assert found[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]


def test_overlapping_windows_of_a_constant_image_add_up_nowhere() -> None:
    network = max_pool((5, 5), kernel_shape=[3, 3], strides=[2, 2])
    found = gradient_of(network, np.zeros((1, 1, 5, 5)), {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0})
    expected = np.zeros((5, 5))
    expected[0, 0], expected[0, 2], expected[2, 0], expected[2, 2] = 1, 2, 3, 4
    np.testing.assert_array_equal(found[0, 0], expected)


def test_padding_is_never_the_first_match() -> None:
    network = max_pool((3, 3), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    found = gradient_of(network, np.full((1, 1, 3, 3), -5.0), {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0})
    assert found[0, 0].tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]


def test_of_two_equal_values_the_one_read_first_wins() -> None:
    network = max_pool((2, 3), kernel_shape=[2, 2])
    found = gradient_of(network, [[[[1, 5, 5], [5, 0, 5]]]], {0: 1.0, 1: 10.0})
    assert found[0, 0].tolist() == [[0, 11, 0], [0, 0, 0]]


def test_one_value_may_be_the_maximum_of_four_windows() -> None:
    network = max_pool((3, 3), kernel_shape=[2, 2])
    found = gradient_of(network, [[[[0, 1, 0], [1, 9, 1], [0, 1, 0]]]], {0: 1.0, 1: 2.0, 2: 4.0, 3: 8.0})
    assert found[0, 0].tolist() == [[0, 0, 0], [0, 15, 0], [0, 0, 0]]


def test_ties_along_one_axis_with_dilation() -> None:
    network = max_pool((5,), kernel_shape=[3], dilations=[2])
    assert gradient_of(network, [[[4, 9, 4, 9, 4]]], {0: 3.0}).tolist() == [[[3, 0, 0, 0, 0]]]


def test_max_pool_of_infinite_values() -> None:
    network = max_pool((1, 3), kernel_shape=[1, 2])
    found = gradient_of(network, [[[[np.inf, 1, np.inf]]]], {0: 1.0, 1: 2.0})
    assert found.tolist() == [[[[1, 0, 2]]]]


def test_global_max_pool_chooses_the_first_largest() -> None:
    network = single("GlobalMaxPool", {"x": ("n", 2, 2, 2)})
    found = gradient_of(network, [[[[1, 3], [3, 3]], [[0, 0], [0, 0]]]], {0: 5.0, 1: 7.0})
    assert found.tolist() == [[[[0, 5], [0, 0]], [[7, 0], [0, 0]]]]


def test_a_reduction_shares_among_all_largest() -> None:
    network = single("ReduceMax", {"x": ("n", 4)}, axes=[1])
    assert gradient_of(network, [[2, 5, 5, 1], [3, 3, 3, 3]], {0: 4.0}).tolist() == [[0, 2, 2, 0], [1, 1, 1, 1]]


def test_of_two_tensors_with_the_extreme_value_the_first_gets_all() -> None:
    for op_type in ("Max", "Min"):
        network = single(op_type, {"x": ("n", 3)}, {"c": np.array([1.0, 1.0, 1.0])})
        turned = Network([node(op_type, "c x")], network.inputs, network.constants)
        assert gradient_of(network, [[1, 1, 1]], {0: 2.0, 2: 3.0}).tolist() == [[2, 0, 3]]
        assert gradient_of(turned, [[1, 1, 1]], {0: 2.0, 2: 3.0}).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("op_type", "x", "derivative"),
    [
        ("Relu", 0.0, 0.0),
        ("LeakyRelu", 0.0, 0.01),
        ("Abs", 0.0, 0.0),
        ("HardSwish", -3.0, 0.0),
        ("HardSwish", 3.0, 1.0),
        ("HardSwish", 0.0, 0.5),
        ("HardSigmoid", 2.5, 0.0),
        ("HardSigmoid", 0.0, 0.2),
        ("Elu", 0.0, 1.0),
        ("Sigmoid", 0.0, 0.25),
        ("Sigmoid", 100.0, 0.0),
        ("Tanh", 0.0, 1.0),
        ("Softplus", 0.0, 0.5),
        ("Softsign", 1.0, 0.25),
        ("Exp", 0.0, 1.0),
        ("Log", 4.0, 0.25),
        ("Sqrt", 4.0, 0.25),
        ("Reciprocal", 2.0, -0.25),
        ("Erf", 0.0, 2 / np.sqrt(np.pi)),
    ],
)
def test_derivative_at_a_point(op_type: str, x: float, derivative: float) -> None:
    found = gradient_of(single(op_type, {"x": ("n", 1)}), [[x]], {0: 2.0})
    np.testing.assert_allclose(found, [[2 * derivative]], atol=1e-12)


def test_clip_lets_nothing_through_at_its_limits() -> None:
    network = single("Clip", {"x": ("n", 5)}, {"low": np.array(0.0), "high": np.array(6.0)})
    found = gradient_of(network, [[-1, 0, 3, 6, 7]], dict.fromkeys(range(5), 1.0))
    assert found.tolist() == [[0, 0, 1, 0, 0]]


def test_power_of_zero() -> None:
    network = single("Pow", {"x": ("n", 4)}, {"p": np.array([0.0, 1.0, 2.0, 3.0])})
    assert gradient_of(network, [[0, 0, 0, 0]], dict.fromkeys(range(4), 1.0)).tolist() == [[0, 1, 0, 0]]


def test_powers_of_negative_numbers() -> None:
    network = single("Pow", {"x": ("n", 3)}, {"p": np.array([1.0, 2.0, 3.0])})
    assert gradient_of(network, [[-2, -2, -2]], dict.fromkeys(range(3), 1.0)).tolist() == [[1, -4, 12]]


def test_softmax_of_large_numbers() -> None:
    found = gradient_of(single("Softmax", {"x": ("n", 2)}), [[1000, 1000], [1000, -1000]], {0: 1.0})
    assert found.tolist() == [[0.25, -0.25], [0, 0]]


def test_convolution_worked_out_by_hand() -> None:
    network = single("Conv", {"x": ("n", 1, 2, 3)}, {"w": np.array([[[[1.0, 2.0]]], [[[3.0, 5.0]]]])})
    found = gradient_of(network, np.zeros((1, 1, 2, 3)), {0: 1.0, 5: 1.0})
    assert found[0, 0].tolist() == [[1, 2 + 3, 5], [0, 0, 0]]


def test_batch_normalization_scales_each_channel() -> None:
    """In opset 13 too, where onnx.reference 1.23 takes inference for training."""
    statistics = {
        "scale": np.array([6.0, -1.0]),
        "zero": np.zeros(2),
        "mean": np.ones(2),
        "variance": np.array([3.0, 0.0]),
    }
    for opset in (13, 15, 17):
        network = single("BatchNormalization", {"x": ("n", 2)}, statistics, opset=opset, epsilon=1.0)
        np.testing.assert_allclose(gradient_of(network, [[7, 8]], {0: 1.0, 1: 2.0}), [[3, -2]])


def test_average_pool_counts_the_padding_only_where_it_is_told() -> None:
    for counted, corner in ((0, 1 / 4), (1, 1 / 9)):
        network = single(
            "AveragePool", {"x": ("n", 1, 3, 3)}, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=counted
        )
        found = gradient_of(network, np.zeros((1, 1, 3, 3)), {0: 1.0})
        expected = np.zeros((3, 3))
        expected[:2, :2] = corner
        np.testing.assert_allclose(found[0, 0], expected)


def test_a_slice_of_nothing_has_no_gradient() -> None:
    nodes = [
        node("Slice", "x starts ends axes", "none"),
        node("Concat", "none x", axis=1),
    ]
    constants = {"starts": np.array([3]), "ends": np.array([1]), "axes": np.array([1])}
    found = gradient_of(Network(nodes, {"x": ("n", 4)}, constants), [[1, 2, 3, 4]], {0: 1.0, 3: 2.0})
    assert found.tolist() == [[1, 0, 0, 2]]


def test_values_gathered_several_times_get_the_sum() -> None:
    network = single("Gather", {"x": ("n", 3)}, {"indices": np.array([2, 0, 2, 2])}, axis=1)
    found = gradient_of(network, [[0, 0, 0]], {0: 1.0, 1: 2.0, 2: 4.0, 3: 8.0})
    assert found.tolist() == [[2, 0, 13]]


def test_resizing_to_the_nearest_adds_up_what_was_copied() -> None:
    network = Network(
        [
            node(
                "Resize",
                "x _ scales",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"x": ("n", 1, 1, 2)},
        {"scales": np.array([1, 1, 2, 3], np.float32)},
    )
    found = gradient_of(network, np.zeros((1, 1, 1, 2)), {place: 10.0**place for place in range(6)})
    assert found.tolist() == [[[[111, 111000]]]]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_what_shrinks_to_one_value_in_the_way_of_pytorch_is_the_first(mode: str) -> None:
    network = Network(
        [node("Resize", "x _ scales", mode=mode, coordinate_transformation_mode="pytorch_half_pixel")],
        {"x": ("n", 1, 1, 3)},
        {"scales": np.array([1, 1, 1, 0.4], np.float32)},
    )
    assert gradient_of(network, np.zeros((1, 1, 1, 3)), {0: 3.0}).tolist() == [[[[3, 0, 0]]]]


def test_aligned_corners_stay_aligned_where_a_factor_is_rounded_down() -> None:
    """Three values become ``floor(3 * 1.5) = 4``, which lie at 0, 2/3, 4/3 and 2."""
    network = Network(
        [node("Resize", "x _ scales", mode="linear", coordinate_transformation_mode="align_corners")],
        {"x": ("n", 1, 1, 3)},
        {"scales": np.array([1, 1, 1, 1.5], np.float32)},
    )
    found = gradient_of(network, np.zeros((1, 1, 1, 3)), {1: 3.0, 3: 5.0})
    np.testing.assert_allclose(found, [[[[1, 2, 5]]]])


def test_a_cast_gives_the_gradient_its_type_back() -> None:
    """From float64 through float32 and float16, each node in its own type."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
            helper.make_node("Mul", ["half", "three"], ["tripled"]),
            helper.make_node("Cast", ["tripled"], ["y"], to=TensorProto.FLOAT),
        ],
        "casts",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [onnx.numpy_helper.from_array(np.array(3, np.float16), "three")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    differentiated = add_gradients(model, Scalar("y", {0: 0.5, 1: -2.0}), {"x": "dx", "half": "dhalf"})
    check_model(differentiated, 3)
    found = gradients_in_reference(differentiated, {"x": np.ones((2, 2))}, ["x", "half"])
    assert found["x"].dtype == np.float64 and found["half"].dtype == np.float16
    for gradient in found.values():
        assert gradient.tolist() == [[1.5, -6], [1.5, -6]]


def test_an_image_of_integers_gets_its_gradient_behind_the_cast() -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["x"], to=TensorProto.DOUBLE), helper.make_node("Mul", ["x", "x"], ["y"])],
        "image",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    differentiated = add_gradients(model, Scalar("y", {0: 1.0, 2: 1.0}), {"x": "dx"})
    image = np.array([[3, 5, 255]], np.uint8)
    assert gradients_in_reference(differentiated, {"image": image}, ["x"])["x"].tolist() == [[6, 0, 510]]
