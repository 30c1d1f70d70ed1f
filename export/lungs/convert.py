"""Conversion of a trained segmenter into the model contract's `lung_segmenter`."""

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray

from api.imaging.preprocess import to_model_input
from export.lungs.examples import load_frame, read_lung_examples
from export.lungs.train import load_trained_lungs, read_lung_plan
from export.release.conversion import convert_function, round_kernels_to_float16
from export.release.folding import fold_batch_normalization
from export.release.provenance import hashes
from export.run_folder import write_json

PARITY_LIMIT = 1e-4
_PARITY_IMAGES = 15


def convert_lungs(run: Path, data: Path) -> None:
    """Write `model.onnx`, checked against Keras on held-out radiographs, and `conversion.json`.

    Raises
    ------
    ValueError
        The converted model differs from Keras.
    """
    plan = read_lung_plan(run)
    network = load_trained_lungs(run)
    fold_batch_normalization(network)
    round_kernels_to_float16(network)
    model = convert_lung_network(network)
    _, held_out = read_lung_examples(data, plan.fold)
    frames = [load_frame(example.radiograph) for example in held_out[:_PARITY_IMAGES]]
    images = to_model_input(frames, plan.image_size, plan.image_size)
    parity = largest_mask_difference(model, network, images)
    if parity > PARITY_LIMIT:
        raise ValueError(f"The converted model must agree with Keras within {PARITY_LIMIT}. Received: {parity}")
    onnx.save(model, run / "model.onnx")
    record = {"parity": parity, **hashes(run, "model.onnx", "model.weights.h5")}
    write_json(run / "conversion.json", record)


def convert_lung_network(network: keras.Model) -> onnx.ModelProto:
    """Convert a network that answers logits.

    Returns
    -------
    A model from `image`, uint8 ``[n, h, w, 1]``, to `mask` ``[n, h, w]``, the probability of lung, 0 to 1.
    """

    def segment(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mask": tf.sigmoid(network(tf.cast(image, tf.float32), training=False)[..., 0])}

    return convert_function(segment, "lung_segmenter", network.input_shape[1:3])


def largest_mask_difference(model: onnx.ModelProto, network: keras.Model, images: NDArray[np.uint8]) -> float:
    """Compare a converted model with Keras, one image at a time and in batches of 5.

    Parameters
    ----------
    model
        As `convert_lung_network` gives it.
    network
        What it was made of.
    images
        Grey levels, ``[n, h, w, 1]``, 0 to 255.
    """
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits = network.predict(images.astype(np.float32), verbose=0)[..., 0].astype(np.float64)
    expected = 1 / (1 + np.exp(-logits))
    differences = [
        np.abs(session.run(["mask"], {"image": images[i : i + n]})[0] - expected[i : i + n]).max()
        for n in (1, 5)
        for i in range(0, len(images), n)
    ]
    return float(max(differences))
