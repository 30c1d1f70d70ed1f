"""What is explained if the caller does not say so."""

import onnx
import pytest
from onnx import TensorProto, helper

from export.differentiate import Scalar
from export.explainable.choice import choose
from tests.unit.export.explainable.networks import classifier

DIFFERENCE = Scalar("logits", {1: 1.0, 0: -1.0})


@pytest.mark.parametrize("last", [None, "Softmax", "Sigmoid"])
def test_the_logits_are_found_also_behind_probabilities(last: str | None) -> None:
    explained = choose(classifier(last=last))
    assert (explained.scalar, explained.layer, explained.source) == (DIFFERENCE, "activation", "grey")


@pytest.mark.parametrize(
    ("logit", "weights"),
    [("logits", {1: 1.0, 0: -1.0}), ("logits:1", {1: 1.0}), ("logits:0-1", {0: 1.0, 1: -1.0})],
)
def test_the_logit_can_be_named(logit: str, weights: dict[int, float]) -> None:
    assert choose(classifier(), logit).scalar == Scalar("logits", weights)


def test_a_name_may_hold_colons() -> None:
    model = classifier()
    model.graph.node[-1].output[0] = model.graph.output[0].name = "dense/add:0"
    assert choose(model, "dense/add:0").scalar == Scalar("dense/add:0", {1: 1.0, 0: -1.0})
    assert choose(model, "dense/add:0:1").scalar == Scalar("dense/add:0", {1: 1.0})


@pytest.mark.parametrize(
    ("logit", "message"),
    [
        ("nothing", "must be TENSOR"),
        ("logits:one", "must be TENSOR"),
        ("probabilities:1", "saturate .* explain 'logits' instead"),
    ],
)
def test_a_logit_that_explains_nothing_is_refused(logit: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(classifier(last="Softmax"), logit)


def test_of_many_classes_one_must_be_chosen() -> None:
    model = classifier()
    model.graph.node.append(helper.make_node("Concat", ["logits", "logits"], ["four"], axis=1))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("four", TensorProto.DOUBLE, ["batch", 4]))
    with pytest.raises(ValueError, match="One of 4 classes must be chosen"):
        choose(model)
    assert choose(model, "four:2").scalar == Scalar("four", {2: 1.0})


def test_with_several_outputs_the_logit_must_be_named() -> None:
    model = classifier()
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.DOUBLE, ["batch", 3]))
    with pytest.raises(ValueError, match="several outputs"):
        choose(model)


def test_the_layer_is_what_follows_the_last_convolution_in_its_shape() -> None:
    """Behind the activation and the sum with an earlier map; convolutions on single pixels do not count."""
    model = classifier()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    nodes[4].input[0] = "joined"
    late = helper.make_node("Conv", ["means", "gate_kernel"], ["gate"])
    joined = helper.make_node("Add", ["activation", "maps"], ["joined"])
    model.graph.node.extend([*nodes[:4], joined, *nodes[4:], late])
    model.graph.initializer.append(helper.make_tensor("gate_kernel", TensorProto.DOUBLE, [1, 3, 1, 1], [1.0] * 3))
    assert choose(model).layer == "joined"
    assert choose(model, layer="maps").layer == "maps"


def without_convolution() -> onnx.ModelProto:
    model = classifier()
    model.graph.node[2].CopyFrom(helper.make_node("MaxPool", ["planes"], ["maps"], kernel_shape=[2, 2], strides=[2, 2]))
    del model.graph.node[5:]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("means", TensorProto.DOUBLE, ["batch", 1, 1, 1]))
    return model


def test_without_a_convolution_the_layer_must_be_named() -> None:
    with pytest.raises(ValueError, match="layer must be named"):
        choose(without_convolution(), "means:0")
    assert choose(without_convolution(), "means:0", layer="activation").layer == "activation"


def test_a_floating_point_image_is_its_own_source() -> None:
    model = classifier()
    del model.graph.node[0]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("grey", TensorProto.DOUBLE, ["batch", 6, 6, 1]))
    assert choose(model).source == "grey"


def test_an_image_that_is_moved_before_it_is_cast_needs_a_named_source() -> None:
    model = classifier()
    model.graph.node[0].CopyFrom(helper.make_node("Transpose", ["image"], ["grey"], perm=[0, 3, 1, 2]))
    model.graph.node[1].CopyFrom(helper.make_node("Cast", ["grey"], ["planes"], to=TensorProto.DOUBLE))
    with pytest.raises(ValueError, match="source must be named"):
        choose(model)
    assert choose(model, source="planes").source == "planes"


def test_the_first_the_middle_and_the_last_activation_are_shown() -> None:
    assert choose(classifier()).features == ("activation",)
    assert choose(classifier(), features=()).features == ()
    assert choose(classifier(), features=("maps",)).features == ("maps",)
    model = classifier()
    for name in ("second", "third", "fourth"):
        model.graph.node.append(helper.make_node("Relu", ["maps"], [name]))
    assert choose(model).features == ("activation", "third", "fourth")
