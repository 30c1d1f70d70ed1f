"""Lung masks of radiographs, by the converted segmenter and by the study's rough separation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from api.explain.gradient import select_dominant_pixels
from api.imaging.preprocess import to_model_input

MASK_THRESHOLD = 0.5
_BATCH = 16
_ROUGH_THRESHOLD = 0.5  # the study: importance under it separates the lungs roughly from the rest


def run_on_radiographs(model: Path, output: str, radiographs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Run a model of the model contract on radiographs as the gateway prepares them.

    Parameters
    ----------
    model
        The ONNX file.
    output
        The name of the output to take.
    radiographs
        Grey levels, each ``[h, w]``, 0 to 255.

    Returns
    -------
    That output, its first dimension the radiographs'.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    height, width = session.get_inputs()[0].shape[1:3]
    batches = [radiographs[start : start + _BATCH] for start in range(0, len(radiographs), _BATCH)]
    answers = [
        session.run([output], {"image": to_model_input(batch, height, width)})[0]
        for batch in tqdm(batches, desc=output)
    ]
    return np.concatenate(answers)


def segment_lungs(model: Path, radiographs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the lungs, ``[n, h, w]`` as the radiographs are: the mask, enlarged, is at least 0.5."""
    masks = run_on_radiographs(model, "mask", list(radiographs))
    return np.stack([enlarge(mask, radiographs.shape[1]) >= MASK_THRESHOLD for mask in masks])


def separate_roughly(model: Path, radiographs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the lungs as the study did, ``[n, h, w]``: where the stretched pixel importance is under 0.5.

    `model` is the ONNX file of `pixel_importance`; the stretching is the gateway's.
    """
    maps = run_on_radiographs(model, "importance", list(radiographs))
    stretched = (select_dominant_pixels(importance, 1.0).importance for importance in maps)
    return np.stack([enlarge(importance, radiographs.shape[1]) < _ROUGH_THRESHOLD for importance in stretched])


def enlarge(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Resize a map to ``[size, size]`` by bilinear interpolation."""
    return np.asarray(Image.fromarray(values).resize((size, size), Image.Resampling.BILINEAR))
