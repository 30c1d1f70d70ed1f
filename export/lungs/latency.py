"""How long a model takes beside a plain ResNet50 at 224 pixels, the yardstick of the model contract."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from keras import layers

from export.release.conversion import convert_function, round_kernels_to_float16
from export.release.folding import fold_batch_normalization

_YARDSTICK_SIZE = 224
_ROUNDS = 60
_WARM_UP = 5


def latency_against_resnet50(model: Path) -> Mapping[str, float]:
    """Time a model and a ResNet50 in turn, at batch 1 on one thread in ONNX Runtime.

    In turn, so that whatever else the machine does slows both.

    Returns
    -------
    Both medians in milliseconds and their ratio.
    """
    sessions = [_open(str(model)), _open(plain_resnet50().SerializeToString())]
    images = [_noise(session) for session in sessions]
    seconds = np.array(
        [
            [_seconds(session, image) for session, image in zip(sessions, images, strict=True)]
            for _ in range(_WARM_UP + _ROUNDS)
        ]
    )
    ours, yardstick = (float(median) for median in np.median(seconds[_WARM_UP:], axis=0))
    return {
        "latency_ms": round(ours * 1000, 2),
        "resnet50_latency_ms": round(yardstick * 1000, 2),
        "latency_ratio": round(ours / yardstick, 4),
    }


def plain_resnet50() -> onnx.ModelProto:
    """Convert a ResNet50 of random weights at 224 pixels as our own networks are converted."""
    keras.mixed_precision.set_global_policy("float32")
    image = keras.Input((_YARDSTICK_SIZE, _YARDSTICK_SIZE, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    network = keras.Model(image, keras.applications.ResNet50(weights=None)(layers.Concatenate()([x, x, x])))
    fold_batch_normalization(network)
    round_kernels_to_float16(network)

    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": network(tf.cast(image, tf.float32), training=False)}

    return convert_function(classify, "resnet50", (_YARDSTICK_SIZE, _YARDSTICK_SIZE))


def _open(source: str | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _noise(session: Any) -> Mapping[str, Any]:
    (image,) = session.get_inputs()
    pixels = np.random.default_rng(0).integers(0, 256, (1, *image.shape[1:]), dtype=np.uint8)
    return {image.name: pixels}


def _seconds(session: Any, image: Mapping[str, Any]) -> float:
    started = time.perf_counter()
    session.run(None, image)
    return time.perf_counter() - started
