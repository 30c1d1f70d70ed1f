"""How far gradients in the graph are from TensorFlow's GradientTape, for trained networks and real radiographs.

``python -m benchmarks.gradient_errors --data DATA --runs RUN RUN`` differentiates the log-odds of each run's network
at the images of the `val` split with respect to the grey levels and to the features that are averaged. It prints, over
batches of 1 and of 5, the largest error of an image: the largest difference of its gradient as a share of the largest
value. In single precision a ReLU near zero may flip, so the tape itself in single precision is compared too.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray

from export.data.examples import load_images, read_split
from export.differentiate import Scalar, add_gradients
from export.evaluation.calibration import PlattScaling
from export.networks.architectures import ARCHITECTURES, FEATURES
from export.release.conversion import convert_classifier
from export.training.plan import read_plan
from export.training.train import load_trained

Gradients = tuple[NDArray[np.floating], NDArray[np.floating]]  # by grey levels and by features, [n, h, w, c]
_COLUMNS = ("grey levels, median", "largest", "features, median", "largest")


def main() -> None:
    """Print a row for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    print(f"| run | compared | {' | '.join(_COLUMNS)} |\n|---|---|{'--:|' * len(_COLUMNS)}")
    for run in arguments.runs:
        _print_rows(run, load_images(read_split(arguments.data, "val"), read_plan(run).image_size))


def _print_rows(run: Path, images: NDArray[np.uint8]) -> None:
    network = load_trained(run)
    single, double = by_tape(network, images), by_tape(in_float64(run, network), images)
    compared = {
        "graph at batch 1, tape": (by_graph(network, images, 1), single),
        "graph at batch 5, tape": (by_graph(network, images, 5), single),
        "graph at batch 5, tape in float64": (by_graph(network, images, 5), double),
        "tape, tape in float64": (single, double),
    }
    for name, pair in compared.items():
        figures = [figure for errors in _errors(*pair) for figure in (np.median(errors), errors.max())]
        print(f"| {run.name} | {name} | {' | '.join(f'{figure:.1e}' for figure in figures)} |", flush=True)


def in_float64(run: Path, network: keras.Model) -> keras.Model:
    """Build the network of a run in double precision, except its last unit, which is one product."""
    plan = read_plan(run)
    keras.config.set_dtype_policy("float64")
    copy = ARCHITECTURES[plan.architecture].build(plan.image_size, plan.head, False)
    keras.config.set_dtype_policy("float32")
    copy.set_weights(network.get_weights())
    return copy


def by_tape(network: keras.Model, images: NDArray[np.uint8]) -> Gradients:
    """Differentiate with TensorFlow, one image after the other."""
    both = keras.Model(network.input, [network.get_layer(FEATURES).output, network.output])
    parts = []
    for image in images:
        with tf.GradientTape() as tape:
            x = tf.constant(image[np.newaxis], tf.float32)
            tape.watch(x)
            features, log_odds = both(x, training=False)
        parts.append([gradient.numpy() for gradient in tape.gradient(log_odds, [x, features])])
    return _join(parts)


def by_graph(network: keras.Model, images: NDArray[np.uint8], batch: int) -> Gradients:
    """Differentiate the converted network, and run it in ONNX Runtime."""
    model = convert_classifier(network, PlattScaling(1.0, 0.0))
    source = next(node.output[0] for node in model.graph.node if node.op_type == "Cast" and "image" in node.input)
    features = next(node.input[0] for node in model.graph.node if node.op_type == "GlobalAveragePool")
    wanted = {source: "by_image", features: "by_features"}
    model = add_gradients(model, Scalar("logits", {1: 1.0, 0: -1.0}), wanted)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    starts = range(0, len(images), batch)
    by_image, by_features = _join([session.run([*wanted.values()], {"image": images[i : i + batch]}) for i in starts])
    return by_image, np.moveaxis(by_features, 1, -1)


def _join(parts: Sequence[Sequence[NDArray[np.floating]]]) -> Gradients:
    by_image, by_features = (np.concatenate(part) for part in zip(*parts, strict=True))
    return by_image, by_features


def _errors(found: Gradients, expected: Gradients) -> list[NDArray[np.floating]]:
    """Tell each image's largest difference over its largest expected value."""
    return [
        np.abs(one - other).max(axis=(1, 2, 3)) / np.abs(other).max(axis=(1, 2, 3))
        for one, other in zip(found, expected, strict=True)
    ]


if __name__ == "__main__":
    main()
