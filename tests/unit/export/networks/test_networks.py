"""The FFT layer, the gradient model, folding and conversion, on networks small enough to build here."""

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from api.imaging.decode import decode
from api.imaging.preprocess import to_model_input
from export.evaluation.calibration import PlattScaling
from export.networks.architectures import build_gradient_model, log_odds
from export.networks.fft_convolution import FFTConv2D
from export.release.conversion import (
    IR_VERSION,
    OPSET,
    convert_classifier,
    convert_pixel_importance,
    pixel_weights,
    round_kernels_to_float16,
)
from export.release.folding import fold_batch_normalization

SAMPLES = sorted((Path(__file__).parents[3] / "data" / "samples").glob("*.jpeg"))
CALIBRATION = PlattScaling(slope=0.7, intercept=-0.4)


def radiographs(size: int) -> NDArray[np.uint8]:
    images = [decode(path.read_bytes(), max_pixels=10**7).pixels for path in SAMPLES]
    return to_model_input(images, size, size)


@pytest.fixture(scope="module")
def small_classifier() -> keras.Model:
    """Every kind of layer that the shipped architecture has, with statistics that are not trivial."""
    keras.utils.set_random_seed(3)
    image = keras.Input((64, 64, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Concatenate()([x, x, x])
    x = layers.Conv2D(32, 3, strides=2, use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    residual = layers.BatchNormalization()(layers.Conv2D(48, 1, strides=2, padding="same")(x))
    x = layers.BatchNormalization()(layers.SeparableConv2D(48, 3, padding="same", use_bias=False)(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, residual]))
    model = keras.Model(image, layers.Dense(1)(layers.Dropout(0.3)(x)))
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights(
                [
                    generator.uniform(0.5, 2, n),
                    generator.normal(0, 1, n),
                    generator.normal(0, 0.3, n),
                    generator.uniform(0.1, 2, n),
                ]
            )
    return model


@pytest.mark.parametrize(
    ("side", "kernel", "channels", "filters"),
    [(16, 16, 3, 1), (16, 8, 1, 2), (12, 5, 2, 3), (9, 9, 3, 2), (4, 10, 2, 1)],
)
def test_fft_convolution_equals_conv2d(side: int, kernel: int, channels: int, filters: int) -> None:
    """The same function and the same gradients, for even and odd kernels, smaller or larger than the image."""
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(size=(2, side, side, channels)).astype(np.float32))
    ours, theirs = FFTConv2D(filters, kernel), layers.Conv2D(filters, kernel, padding="same")
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights(ours.get_weights())
    weights_of_loss = generator.normal(size=(2, side, side, filters)).astype(np.float32)
    gradients = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            loss = tf.reduce_sum(outputs * weights_of_loss)
        gradients.append([outputs, *tape.gradient(loss, [x, *layer.trainable_weights])])
    for mine, reference in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, reference, atol=2e-4, rtol=1e-4)


def test_the_gradient_model_has_the_kernels_of_the_study() -> None:
    model = build_gradient_model()
    shapes = {tuple(weight.shape) for weight in model.weights}
    assert shapes == {(128, 128, 3, 1), (64, 64, 1, 1), (1,), (1024, 2), (2,)}
    assert [type(layer).__name__ for layer in model.layers[3:]] == [
        "FFTConv2D", "MaxPooling2D", "FFTConv2D", "MaxPooling2D", "Dropout", "Flatten", "ReLU", "Dense",
    ]  # fmt: skip


def test_pixel_importance_is_grey_times_the_stretched_kernel() -> None:
    """Recomputed in numpy from the kernel, as the study describes it."""
    keras.utils.set_random_seed(5)
    model = build_gradient_model(32)
    kernel = np.asarray(model.get_layer("pixel_weights").kernel, dtype=np.float64)[:, :, :, 0]
    weights = ((kernel - kernel.min()) / (kernel.max() - kernel.min())).mean(axis=2)
    np.testing.assert_allclose(pixel_weights(model), weights, atol=1e-6)
    session = onnxruntime.InferenceSession(convert_pixel_importance(model).SerializeToString())
    images = radiographs(32)
    for batch in (images[:1], images[:5]):
        (importance,) = session.run(["importance"], {"image": batch})
        np.testing.assert_allclose(importance, batch[..., 0] / 255 * weights, atol=1e-6)


def test_folding_leaves_the_function_as_it_was(small_classifier: keras.Model) -> None:
    folded = keras.models.clone_model(small_classifier)
    folded.set_weights(small_classifier.get_weights())
    fold_batch_normalization(folded)
    images = radiographs(64).astype(np.float32)
    before, after = small_classifier.predict(images, verbose=0), folded.predict(images, verbose=0)
    assert np.abs(before).max() > 0.05
    np.testing.assert_allclose(after, before, atol=1e-4)
    scales = [layer.gamma for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert all(np.array_equal(scale, np.ones_like(scale)) for scale in scales)


@pytest.fixture(scope="module")
def converted(small_classifier: keras.Model) -> onnx.ModelProto:
    fold_batch_normalization(small_classifier)
    round_kernels_to_float16(small_classifier)
    return convert_classifier(small_classifier, CALIBRATION)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_keras_and_onnx_agree_on_real_radiographs(
    small_classifier: keras.Model, converted: onnx.ModelProto, batch_size: int
) -> None:
    images = radiographs(64)
    z = CALIBRATION.apply(log_odds(small_classifier.predict(images.astype(np.float32), verbose=0)))
    expected = 1 / (1 + np.exp(-z))
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        logits, probabilities = session.run(["logits", "probabilities"], {"image": images[batch]})
        np.testing.assert_allclose(probabilities[:, 1], expected[batch], atol=1e-4)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(logits[:, 1], z[batch], atol=1e-3)
        np.testing.assert_array_equal(logits[:, 0], 0)


def test_the_converted_graph_is_one_that_stock_triton_loads(converted: onnx.ModelProto) -> None:
    assert converted.ir_version == IR_VERSION <= 10
    assert [(opset.domain, opset.version) for opset in converted.opset_import] == [("", OPSET)]
    assert {node.domain for node in converted.graph.node} == {""}
    (image,) = converted.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["batch", 64, 64, 1]


def test_large_kernels_are_stored_as_float16(converted: onnx.ModelProto) -> None:
    large = [i for i in converted.graph.initializer if np.prod(i.dims) >= 1024]
    assert len(large) >= 2
    assert {i.data_type for i in large} == {onnx.TensorProto.FLOAT16}
