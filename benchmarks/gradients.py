"""What gradients cost inside the graph: beside the plain forward pass, GradientTape and PyTorch's autograd.

``python -m benchmarks.gradients``: one image, CPU, one thread, networks with random weights and the shipped
classifier. Every round runs each variant once, so that a busy machine slows all of them alike. The median over the
rounds is printed, and its ratio to ONNX Runtime's plain forward pass.

- `forward`: the answer alone;
- `Grad-CAM gradient`: also the gradient of the log-odds with respect to the last convolution's activation;
- `saliency`: also the gradient with respect to every grey level;
- `all explanations`: what `classifier_explain` answers.

PyTorch is no dependency: ``--torch-python PYTHON`` names the interpreter of an environment with torch and torchvision
(``pip install torch torchvision``), for the ResNet50 at 224 pixels. TensorFlow's functions are compiled (tf.function).
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray

from export.differentiate import add_gradients
from export.evaluation.calibration import PlattScaling
from export.explainable.choice import choose
from export.explainable.maps import add_maps
from export.networks.architectures import ARCHITECTURES
from export.release.conversion import convert_classifier

NETWORKS = (("resnet50", 224), ("vgg16", 128), ("xception", 224))
IN_PYTORCH = ("resnet50", 224)
WARM_UP = 2
_REPOSITORY = Path(__file__).parents[1] / "model_repository"
Run = Callable[[], object]
Round = Mapping[str, float]  # milliseconds of each variant


def main() -> None:
    """Print one table for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--torch-python", help="interpreter of an environment with torch and torchvision")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not arguments.torch_python:
        print("PyTorch is not timed: no --torch-python was given.\n")
    for architecture, size in NETWORKS:
        network = ARCHITECTURES[architecture].build(size, "average", False)
        runs = {**onnxruntime_runs(convert_classifier(network, PlattScaling(1.0, 0.0))), **tensorflow_runs(network)}
        python = arguments.torch_python if (architecture, size) == IN_PYTORCH else None
        print_table(f"{architecture}, {size} pixels", measure(runs, arguments.rounds, python))
    shipped = max((_REPOSITORY / "classifier").glob("*/model.onnx"), key=lambda file: int(file.parent.name))
    print_table("The shipped classifier", measure(onnxruntime_runs(onnx.load(shipped)), arguments.rounds, None))


def onnxruntime_runs(model: onnx.ModelProto) -> dict[str, Run]:
    """Load a classifier plain, with one gradient, and with all its explanations, one session for each."""
    explained = choose(model, "logits:1")
    models = {
        "forward": model,
        "Grad-CAM gradient": add_gradients(model, explained.scalar, {explained.layer: "gradient"}),
        "saliency": add_gradients(model, explained.scalar, {explained.source: "gradient"}),
        "all explanations": add_maps(model, explained),
    }
    image = _draw_image([size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim][1:])
    return {f"ONNX Runtime, {name}": _session_run(each, image) for name, each in models.items()}


def _session_run(model: onnx.ModelProto, image: NDArray[np.uint8]) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"image": image})


def tensorflow_runs(network: keras.Model) -> dict[str, Run]:
    """Compile the forward pass and GradientTape on the same network and image."""
    image = tf.constant(_draw_image(network.input_shape[1:]), tf.float32)

    def saliency() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            log_odds = network(image, training=False)
        return tape.gradient(log_odds, image)

    compiled = {"forward": tf.function(lambda: network(image, training=False)), "saliency": tf.function(saliency)}
    return {f"TensorFlow, {name}": partial(_to_numpy, function) for name, function in compiled.items()}


def _to_numpy(function: Callable[[], tf.Tensor]) -> NDArray[np.floating]:
    return np.asarray(function())


def _draw_image(shape: Sequence[int]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)


def measure(runs: Mapping[str, Run], rounds: int, torch_python: str | None) -> Mapping[str, Sequence[float]]:
    """Time every variant once in each round; milliseconds, the rounds to warm up left out."""
    with _pytorch(torch_python) as in_pytorch:
        measured = [
            {**{name: _milliseconds(run) for name, run in runs.items()}, **in_pytorch()}
            for _ in range(WARM_UP + rounds)
        ][WARM_UP:]
    return {name: [each[name] for each in measured] for name in measured[0]}


@contextmanager
def _pytorch(python: str | None) -> Iterator[Callable[[], Round]]:
    """Start the process that times a round in PyTorch when asked to."""
    if python is None:
        yield dict
        return
    command = [python, str(Path(__file__).with_name("gradients_in_pytorch.py"))]
    single = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=single) as process:
        assert process.stdin and process.stdout  # both are pipes
        requests, answers = process.stdin, process.stdout

        def time_round() -> Round:
            print(file=requests, flush=True)
            return {f"PyTorch, {name}": ms for name, ms in json.loads(answers.readline()).items()}

        yield time_round


def _milliseconds(run: Run) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


def print_table(title: str, measured: Mapping[str, Sequence[float]]) -> None:
    """Print medians, and ratios to the first variant: of the medians, and the middle half of those of the rounds."""
    first = next(iter(measured.values()))
    print(f"## {title}\n\n| variant | median, ms | ratio | middle half of the rounds |\n|---|--:|--:|--:|")
    for name, values in measured.items():
        ratios = [value / plain for value, plain in zip(values, first, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        ratio = statistics.median(values) / statistics.median(first)
        print(f"| {name} | {statistics.median(values):.1f} | {ratio:.2f} | {low:.2f} to {high:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
