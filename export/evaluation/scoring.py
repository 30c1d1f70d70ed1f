"""P(PNEUMONIA) of images by a run: the converted file where it answers probabilities, the Keras network otherwise."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from export.evaluation.calibration import sigmoid
from export.networks.architectures import log_odds
from export.training.train import load_trained

UNCALIBRATED_THRESHOLD = 0.5
_BATCH = 32


def score_with_onnx(model: Path, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Run a converted classifier.

    Parameters
    ----------
    model
        The ONNX file.
    images
        Grey levels, shape ``[n, h, w, 1]``, 0 to 255.

    Returns
    -------
    P(PNEUMONIA), shape ``[n]``.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    answers = [session.run(["probabilities"], {"image": b})[0][:, 1] for b in tqdm(batches, desc="judging")]
    return np.concatenate(answers).astype(np.float64)


def score_with_keras(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Run a network and give its uncalibrated log-odds of PNEUMONIA, shape ``[n]``; `images` as above."""
    return log_odds(model.predict(images.astype(np.float32), batch_size=_BATCH, verbose=0))


def measured_file(run: Path) -> str:
    """Name the file that answers for a run: the one that is shipped, if it decides; else the network's weights."""
    return "model.onnx" if (run / "decision.json").is_file() else "model.weights.h5"


def score_run(run: Path, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give P(PNEUMONIA), shape ``[n]``, by `measured_file`."""
    if measured_file(run) == "model.onnx":
        return score_with_onnx(run / "model.onnx", images)
    return sigmoid(score_with_keras(load_trained(run), images))
