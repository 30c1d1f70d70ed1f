"""Gradients of whole networks: by GradientTape, and by the differentiated graph."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.differentiate import Scalar, add_gradients

OPSET = 17
Images: TypeAlias = NDArray[Any]
Gradients: TypeAlias = tuple[Images, Images]  # with respect to image and activation, each [n, h, w, c]
_OUTPUTS = ["image_gradient", "activation_gradient"]


def by_tape(network: keras.Model, images: Images) -> Gradients:
    """Differentiate the difference of the scores of a network that answers an activation and two scores."""
    with tf.GradientTape() as tape:
        x = tf.constant(images)
        tape.watch(x)
        activation, scores = network(x, training=False)
        difference = scores[:, 1] - scores[:, 0]
    image, at_activation = tape.gradient(difference, [x, activation])
    return image.numpy(), at_activation.numpy()


def convert(network: keras.Model) -> onnx.ModelProto:
    """Convert such a network, of float64, as the export pipeline does."""

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        activation, scores = network(image, training=False)
        return {"activation": activation, "scores": scores}

    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float64, name="image")]
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(tf.function(answer), input_signature=signature, opset=OPSET)
    model.ir_version = 8
    return model


def differentiate(model: onnx.ModelProto, scores: str = "scores") -> onnx.ModelProto:
    """Add the gradients of the difference of the scores, with respect to `image` and to the activation."""
    sources = dict(zip(["image", inner_activation(model)[0]], _OUTPUTS, strict=True))
    return add_gradients(model, Scalar(scores, {1: 1.0, 0: -1.0}), sources)


def inner_activation(model: onnx.ModelProto) -> tuple[str, bool]:
    """Find the tensor behind the output `activation`, and tell whether its channels lie ahead of its rows."""
    producers = {name: node for node in model.graph.node for name in node.output}
    name = "activation"
    while producers[name].op_type == "Identity":
        name = producers[name].input[0]
    transposed = producers[name].op_type == "Transpose"
    return (producers[name].input[0] if transposed else name), transposed


def by_onnxruntime(model: onnx.ModelProto, images: Images, batch: int) -> Gradients:
    """Run a differentiated model with all default optimisations, so many images at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    parts = [
        session.run(_OUTPUTS, {"image": images[i : i + batch].astype(np.float32)}) for i in range(0, len(images), batch)
    ]
    return _channels_last(model, [np.concatenate(part) for part in zip(*parts, strict=True)])


def by_reference(model: onnx.ModelProto, images: Images) -> Gradients:
    """Evaluate a differentiated model as onnx defines the operators, in any element type."""
    results: Any = ReferenceEvaluator(model).run(_OUTPUTS, {"image": images})
    return _channels_last(model, results)


def _channels_last(model: onnx.ModelProto, gradients: Sequence[Images]) -> Gradients:
    image, activation = gradients
    return image, np.moveaxis(activation, 1, -1) if inner_activation(model)[1] else activation


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a float64 model to single precision."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.DOUBLE:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for node in copy.graph.node:
        for attribute in node.attribute:
            if (node.op_type, attribute.name, attribute.i) == ("Cast", "to", TensorProto.DOUBLE):
                attribute.CopyFrom(helper.make_attribute("to", TensorProto.FLOAT))
    return copy


def errors(found: Gradients, expected: Gradients) -> NDArray[np.float64]:
    """Tell the largest difference as a share of the largest expected value, for image and activation: ``[2, n]``."""
    return np.array([_relative(*pair) for pair in zip(found, expected, strict=True)])


def _relative(found: Images, expected: Images) -> Images:
    assert found.shape == expected.shape
    axes = tuple(range(1, expected.ndim))
    return np.asarray(np.abs(found - expected).max(axis=axes) / np.abs(expected).max(axis=axes))


def check_standard(model: onnx.ModelProto) -> None:
    """Check the file in full, and that stock runtimes, TensorRT among them, have all of its operators."""
    onnx.checker.check_model(model, full_check=True)
    for node in model.graph.node:
        assert node.domain in ("", "ai.onnx")
        defs.get_schema(node.op_type, OPSET, "")
        assert node.op_type != "MaxPool" or len(node.output) == 1, "TensorRT refuses the indices of MaxPool."
    for value in (*model.graph.input, *model.graph.output):
        assert not value.type.tensor_type.shape.dim[0].HasField("dim_value"), f"{value.name} has a fixed batch."
