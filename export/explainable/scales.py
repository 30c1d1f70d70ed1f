"""The upper end of each map's colour scale, the same for every image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from export.explainable.maps import MAPS

_QUANTILE_OF_PIXELS, _QUANTILE_OF_IMAGES = 0.999, 0.95
SCALE_RULE = "exceeded by one pixel in a thousand of one image in twenty, of held-out radiographs with pneumonia"
_BATCH = 8


def map_values(model: Path, images: NDArray[np.uint8], maps: Sequence[str] = MAPS) -> Mapping[str, NDArray[np.float32]]:
    """Run a model with maps.

    Parameters
    ----------
    model
        The ONNX file.
    images
        Grey levels, uint8 ``[n, h, w, 1]``.
    maps
        Names of the outputs.

    Returns
    -------
    Absolute values of each output, ``[n, ...]``.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    answers = [session.run(list(maps), {"image": batch}) for batch in tqdm(batches, desc="explaining", unit="batch")]
    return {name: np.abs(np.concatenate([answer[place] for answer in answers])) for place, name in enumerate(maps)}


def map_scales(values: Mapping[str, NDArray[np.float32]]) -> Mapping[str, float]:
    """Find the upper end of each colour scale: the 95th percentile over images of the 99.9th of an image's pixels.

    Parameters
    ----------
    values
        Absolute values of each output on radiographs with pneumonia, ``[n, ...]``.

    Raises
    ------
    ValueError
        A map is zero, so that it has no scale.
    """
    scales = {name: _upper_end(maps) for name, maps in values.items()}
    if not all(0 < scale < np.inf for scale in scales.values()):
        raise ValueError(f"Maps must have positive finite values. Received: {scales}")
    return scales


def _upper_end(maps: NDArray[np.float32]) -> float:
    of_images = np.quantile(maps.reshape(len(maps), -1), _QUANTILE_OF_PIXELS, axis=1)
    return float(f"{np.quantile(of_images, _QUANTILE_OF_IMAGES):.3g}")
