"""A plain ResNet50 at 224 pixels, beside which the model contract measures what an answer costs."""

from collections.abc import Mapping
from pathlib import Path

import keras
from keras import layers

from export.evaluation.calibration import PlattScaling
from export.evaluation.latency import median_latencies
from export.release.conversion import convert_classifier, round_kernels_to_float16
from export.release.folding import fold_batch_normalization

YARDSTICK_SIZE = 224
_ROUNDS = 60


def build_yardstick() -> keras.Model:
    """Build a ResNet50 (He et al. 2016) with one output and random weights."""
    keras.mixed_precision.set_global_policy("float32")
    image = keras.Input((YARDSTICK_SIZE, YARDSTICK_SIZE, 1), name="image")
    replicated = layers.Concatenate()([image, image, image])
    backbone = keras.applications.ResNet50(
        include_top=False, weights=None, pooling="avg", input_shape=(YARDSTICK_SIZE, YARDSTICK_SIZE, 3)
    )
    return keras.Model(image, layers.Dense(1)(backbone(replicated)))


def convert_yardstick() -> bytes:
    """Convert the yardstick as our own networks are converted."""
    network = build_yardstick()
    fold_batch_normalization(network)
    round_kernels_to_float16(network)
    return convert_classifier(network, PlattScaling(1.0, 0.0)).SerializeToString()


def latency_against_yardstick(model: Path) -> Mapping[str, float]:
    """Time a model and the yardstick in turn, at batch 1 on one thread in ONNX Runtime.

    Returns
    -------
    Both medians in milliseconds and their ratio.
    """
    times = median_latencies({"model": model.read_bytes(), "yardstick": convert_yardstick()}, _ROUNDS)
    return {
        "latency_ms": round(times["model"], 2),
        "resnet50_latency_ms": round(times["yardstick"], 2),
        "latency_ratio": round(times["model"] / times["yardstick"], 4),
    }
