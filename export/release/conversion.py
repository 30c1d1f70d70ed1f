"""From Keras to an ONNX file that stock Triton loads.

Everything between grey levels and calibrated probabilities is inside the graph. Kernels may be stored as
float16 behind a Cast; they are rounded in Keras first, so that calibration and parity see the same numbers.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.evaluation.calibration import PlattScaling
from export.gate.features import gate_features, with_gate_features
from export.gate.fitting import Gate

OPSET = 17
IR_VERSION = 8  # the one that opset 17 came with; Triton 24.10 reads up to 10
_OOD_PARITY_LIMIT = 1e-2  # scores of radiographs are about 1, the limits a fifth apart
_LARGE = 1024  # elements; smaller tensors are not worth a Cast


def round_kernels_to_float16(model: keras.Model) -> None:
    """Round the large weights of a network to float16 values, kept as float32."""
    for weight in model.weights:
        values = np.asarray(weight)
        if values.size >= _LARGE:
            weight.assign(values.astype(np.float16).astype(np.float32))


def convert_classifier(model: keras.Model, calibration: PlattScaling, gate: Gate | None = None) -> onnx.ModelProto:
    """Convert a network that answers log-odds into the model contract's `classifier`.

    Parameters
    ----------
    model
        Takes grey levels 0 to 255 as float ``[n, h, w, 1]``, answers the log-odds of PNEUMONIA ``[n, 1]``.
    calibration
        Goes into the graph.
    gate
        The input gate, which goes into the graph; None for a model that is only compared, not served.

    Returns
    -------
    A model from `image`, uint8 ``[n, h, w, 1]``, to `logits` ``[n, 2]`` = [0, calibrated log-odds], `probabilities`
    ``[n, 2]``, NORMAL first; with a gate also `ood_score` ``[n, 1]``, at least 0, and `presentation` ``[n, K]``,
    probabilities in the order of the gate's presentations.
    """
    network = with_gate_features(model) if gate else model

    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = network(tf.cast(image, tf.float32), training=False)
        outputs, judged = (outputs[0], _judge_input(outputs[1], gate)) if gate else (outputs, {})
        log_odds = calibration.slope * outputs + calibration.intercept
        logits = tf.concat([tf.zeros_like(log_odds), log_odds], axis=1)
        return {"logits": logits, "probabilities": tf.nn.softmax(logits), **judged}

    return convert_function(classify, "classifier", model.input_shape[1:3])


def _judge_input(features: tf.Tensor, gate: Gate) -> dict[str, tf.Tensor]:
    """Compute what `Gate.ood_score` and `Gate.presentation` do; constants are made inside the function."""
    whitened = tf.matmul(features - tf.constant(gate.mean), tf.constant(gate.projection))
    differences = whitened[:, tf.newaxis] - tf.constant(gate.centres)[tf.newaxis]
    squared_distances = tf.reduce_sum(differences * differences, axis=2)
    shares = tf.nn.softmax(-0.5 * gate.projection.shape[1] * squared_distances)
    return {
        "ood_score": tf.sqrt(tf.reduce_min(squared_distances, axis=1, keepdims=True)),
        "presentation": tf.matmul(shares, tf.constant(gate.membership)),
    }


def convert_pixel_importance(model: keras.Model) -> onnx.ModelProto:
    """Convert the gradient model's first kernel into the model contract's `pixel_importance`.

    Returns
    -------
    A model from `image`, uint8 ``[n, h, w, 1]``, to `importance` ``[n, h, w]`` = grey / 255 * pixel weight.
    """
    weights = pixel_weights(model)

    def weigh(image: tf.Tensor) -> dict[str, tf.Tensor]:
        # Made inside: a constant from outside the function would become an input of the graph.
        return {"importance": tf.cast(image[..., 0], tf.float32) / 255.0 * tf.constant(weights)}

    return convert_function(weigh, "pixel_importance", model.input_shape[1:3])


def pixel_weights(model: keras.Model) -> NDArray[np.float32]:
    """Read the first kernel as one weight per pixel: min-maxed over all its values, averaged over the channels.

    Returns
    -------
    Weights in 0..1, shape ``[h, w]``.
    """
    layer = model.get_layer("pixel_weights")
    kernel = np.asarray(layer.kernel)[..., 0]
    stretched = (kernel - kernel.min()) / (kernel.max() - kernel.min())
    return np.asarray(stretched.mean(axis=-1), dtype=np.float32)


def largest_probability_difference(
    model: onnx.ModelProto | Path, images: NDArray[np.uint8], expected: NDArray[np.floating]
) -> float:
    """Run a classifier in ONNX Runtime and compare P(PNEUMONIA) with Keras.

    Parameters
    ----------
    model
        The converted classifier.
    images
        Grey levels, uint8 ``[n, h, w, 1]``, run as one batch.
    expected
        P(PNEUMONIA) by Keras, shape ``[n]``.
    """
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"image": images})
    return float(np.abs(probabilities[:, 1] - expected).max())


def require_gate_parity(model: onnx.ModelProto, network: keras.Model, gate: Gate, images: NDArray[np.uint8]) -> None:
    """Run a classifier in ONNX Runtime and hold its `ood_score` against that of the gate on Keras's features.

    Raises
    ------
    ValueError
        They differ.
    """
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["ood_score"], {"image": images})
    features = gate_features(network).predict_on_batch(images.astype(np.float32))
    difference = float(np.abs(scores[:, 0] - gate.ood_score(np.asarray(features))).max())
    if difference > _OOD_PARITY_LIMIT:
        raise ValueError(f"`ood_score` must agree within {_OOD_PARITY_LIMIT}. Received: {difference}")


def store_halves_as_float16(model: onnx.ModelProto) -> None:
    """Store large float32 initialisers that hold only float16 values as float16, with a Cast behind each.

    TensorFlow multiplies some kernels with a scale of 1 that its approximate square root makes 1.00001 (float16 itself
    resolves 0.0005); such kernels are set back to what Keras holds.
    """
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, is not close, and stays as it is
            halves = values.astype(np.float16)
        if values.size < _LARGE or not np.allclose(halves.astype(np.float32), values, rtol=1e-4, atol=0):
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(halves, f"{name}_float16"))
        casts.append(helper.make_node("Cast", [f"{name}_float16"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def convert_function(
    function: Callable[[tf.Tensor], dict[str, tf.Tensor]], name: str, size: tuple[int, int]
) -> onnx.ModelProto:
    """Convert a function to an ONNX model that stock Triton loads.

    Parameters
    ----------
    function
        From uint8 ``[n, h, w, 1]`` to named outputs.
    name
        Of the graph.
    size
        Height and width of the input.

    Returns
    -------
    A model whose input is `image` and whose first dimension is free, for any batch.
    """
    signature = [tf.TensorSpec((None, *size, 1), tf.uint8, name="image")]
    model, _ = tf2onnx.convert.from_function(tf.function(function), input_signature=signature, opset=OPSET)
    model.ir_version = IR_VERSION
    model.graph.name = name
    _name_batch_dimension(model)
    _drop_foreign_domains(model)
    store_halves_as_float16(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _name_batch_dimension(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def _drop_foreign_domains(model: onnx.ModelProto) -> None:
    """Keep the declaration of the default domain alone; tf2onnx declares others that no node uses."""
    used = {node.domain for node in model.graph.node}
    kept = [opset for opset in model.opset_import if opset.domain in used or opset.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(kept)
