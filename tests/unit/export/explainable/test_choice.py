"""What is explained if the caller does not say so."""

import onnx
import pytest
from onnx import TensorProto, helper

from export.differentiate import Scalar
from export.explainable.choice import choose
from tests.unit.export.explainable.networks import classifier

DIFFERENCE = Scalar("logits", {1: 1.0, 0: -1.0})


@pytest.mark.parametrize("last", [None, "Softmax"])
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
        ("logits:1-1", "must be TENSOR"),
        ("logits:1-", "must be TENSOR"),
        ("logits:-1", "must be TENSOR"),
        ("logits:²", "must be TENSOR"),
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


def test_behind_a_sigmoid_each_class_stands_alone() -> None:
    with pytest.raises(ValueError, match="One of 2 classes must be chosen"):
        choose(classifier(last="Sigmoid"))
    assert choose(classifier(last="Sigmoid"), "logits:1").scalar == Scalar("logits", {1: 1.0})


@pytest.mark.parametrize("wrapper", ["Cast", "Identity", "Flatten"])
def test_probabilities_are_known_behind_nodes_that_leave_them_as_they_are(wrapper: str) -> None:
    model = classifier(last="Softmax")
    node = helper.make_node(wrapper, ["probabilities"], ["out"])
    if wrapper == "Cast":
        node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    model.graph.node.append(node)
    kind = TensorProto.FLOAT if wrapper == "Cast" else TensorProto.DOUBLE
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", kind, ["batch", 2]))
    assert choose(model).scalar == DIFFERENCE
    with pytest.raises(ValueError, match="explain 'logits' instead"):
        choose(model, "out:1")


def test_classes_are_counted_over_all_axes() -> None:
    """As fully convolutional classifiers give them: [n, 3, 1, 1]."""
    model = classifier()
    del model.graph.node[5:]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("means", TensorProto.DOUBLE, ["batch", 3, 1, 1]))
    with pytest.raises(ValueError, match="One of 3 classes must be chosen"):
        choose(model)
    assert choose(model, "means:2").scalar == Scalar("means", {2: 1.0})


def test_the_layer_of_a_concatenating_network_holds_all_channels() -> None:
    """As in DenseNet and InceptionV3: the last convolution adds a few channels to what is already there."""
    model = classifier()
    model.graph.node[4].input[0] = "normalized"
    model.graph.node.insert(4, helper.make_node("Concat", ["maps", "activation"], ["joined"], axis=1))
    model.graph.node.insert(5, helper.make_node("Relu", ["joined"], ["normalized"]))
    model.graph.node[7].CopyFrom(helper.make_node("Flatten", ["means"], ["features"]))
    model.graph.initializer.append(helper.make_tensor("dense6", TensorProto.DOUBLE, [6, 2], [1.0] * 12))
    model.graph.node[8].input[1] = "dense6"
    assert choose(model).layer == "normalized"


def test_the_layer_lies_on_the_way_to_the_logit() -> None:
    model = classifier()
    model.graph.node.append(helper.make_node("Conv", ["planes", "kernel"], ["aside"], strides=[2, 2]))
    model.graph.output.append(helper.make_tensor_value_info("aside", TensorProto.DOUBLE, ["batch", 3, 3, 3]))
    assert choose(model, "logits").layer == "activation"


def test_an_activation_with_channels_last_is_no_feature() -> None:
    model = classifier()
    model.graph.node.append(helper.make_node("Transpose", ["maps"], ["turned"], perm=[0, 2, 3, 1]))
    model.graph.node.append(helper.make_node("Concat", ["turned", "turned"], ["wide"], axis=2))
    model.graph.node.append(helper.make_node("Relu", ["wide"], ["late"]))
    assert choose(model).features == ("activation",)


@pytest.mark.parametrize("layer", ["features", "image", "nothing"])
def test_a_layer_must_be_a_map_of_known_size(layer: str) -> None:
    with pytest.raises(ValueError, match=r"must be a floating-point tensor \[n, c, h, w\]"):
        choose(classifier(), layer=layer)


def test_a_batch_size_that_is_read_does_not_hide_the_source() -> None:
    model = classifier()
    model.graph.node.append(helper.make_node("Shape", ["image"], ["sizes"]))
    assert choose(model).source == "grey"
