"""Does a classifier need the lungs? Its AUC with the lungs hidden, and with everything but the lungs hidden.

Burned-in letters, tubes, collimation and the scanner's processing differ between the classes of the public data sets,
and networks read them (Zech et al. 2018, doi:10.1371/journal.pmed.1002683; DeGrave et al. 2021,
doi:10.1038/s42256-021-00338-7). An AUC far above 0.5 without lungs shows that much can be guessed from elsewhere; it
does not show that the network does so where lungs are to be seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from api.imaging.preprocess import resize_antialiased
from export.data.examples import Example, load_images
from export.evaluation.metrics import Figures, auc_interval, weighted_auc

Judge = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
_DILATION = 0.03  # of a side: the rim of the lungs belongs to the lungs
_BLUR = 0.125  # of a side
_BATCH = 32


@dataclass(frozen=True, slots=True)
class LungMasks:
    """Which of n images have a known lung region, `positions` ``[k]``, and that region, `masks` bool ``[k, h, w]``."""

    positions: NDArray[np.int64]
    masks: NDArray[np.bool_]
    source: str


@dataclass(frozen=True, slots=True)
class ShortcutScores:
    """Scores of k images as they are, with the lungs hidden, and with all but the lungs hidden, shape ``[k]`` each."""

    positions: NDArray[np.int64]
    whole: NDArray[np.float64]
    lungs_hidden: NDArray[np.float64]
    lungs_only: NDArray[np.float64]


def find_masks(examples: Sequence[Example], data: Path, image_size: int, segmenter: Path | None) -> LungMasks:
    """Find the lungs, by a segmenter where one is given, else in the reference masks of the data.

    Parameters
    ----------
    examples
        The n images.
    data
        The data set; reference masks are ``lung_masks/<name of the image>.png``.
    image_size
        Height and width of the masks that are wanted, pixels.
    segmenter
        An ONNX file from `image`, uint8 ``[n, h, w, 1]``, to `mask` ``[n, h, w]`` in 0..1.

    Returns
    -------
    Masks, each wider than the lungs by 3 % of the image.
    """
    if segmenter is not None:
        predicted = _predicted(segmenter, examples, image_size)
        seen = predicted.any(axis=(1, 2))
        return LungMasks(np.flatnonzero(seen), predicted[seen], "predicted by a segmenter")
    files = [data / "lung_masks" / f"{example.path.stem}.png" for example in examples]
    found = np.array([file.is_file() for file in files], dtype=bool)
    masks = [_read_mask(file, image_size) for file, there in zip(files, found, strict=True) if there]
    stacked = np.stack(masks) if masks else np.zeros((0, image_size, image_size), dtype=bool)
    return LungMasks(np.flatnonzero(found), stacked, "reference masks")


def hide(images: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Replace regions by what lies around them, smoothed by a Gaussian.

    No brightness and no texture of the region remains, and its edge is soft. Its outline can still be guessed where
    the smooth patch begins, so whoever reads the shape of the region keeps a part of what it tells: an AUC on such
    images bounds from above what the visible part alone gives away.

    Parameters
    ----------
    images
        Grey levels, shape ``[n, s, s, 1]``, 0 to 255.
    masks
        What to hide, shape ``[n, s, s]``.

    Returns
    -------
    The same shape and range.
    """
    grey = images[..., 0].astype(np.float64)
    visible = (~masks).astype(np.float64)
    kernel = _gaussian(images.shape[1])
    mean = (grey * visible).sum(axis=(1, 2)) / np.maximum(visible.sum(axis=(1, 2)), 1)
    floor = 1e-6  # decides alone only where nothing visible is near
    around = kernel @ (grey * visible) @ kernel + floor * mean[:, np.newaxis, np.newaxis]
    filled = around / (kernel @ visible @ kernel + floor)
    return np.where(masks, np.rint(filled).clip(0, 255), grey).astype(np.uint8)[..., np.newaxis]


def score_shortcuts(judge: Judge, images: NDArray[np.uint8], lungs: LungMasks) -> ShortcutScores | None:
    """Let a network judge images as they are and with a part hidden; None where no lungs are known.

    Parameters
    ----------
    judge
        From grey levels ``[n, s, s, 1]`` to scores ``[n]`` that rise with PNEUMONIA.
    images
        All images that `lungs` speaks of, shape ``[n, s, s, 1]``, 0 to 255.
    lungs
        Where the lungs are.
    """
    if not len(lungs.positions):
        return None
    known = images[lungs.positions]
    lungs_hidden, lungs_only = (_hide_in_batches(known, masks) for masks in (lungs.masks, ~lungs.masks))
    return ShortcutScores(lungs.positions, judge(known), judge(lungs_hidden), judge(lungs_only))


def shortcut_figures(
    scores: ShortcutScores, targets: NDArray[np.int64], patients: Sequence[str], source: str
) -> Figures:
    """Compare the AUC on whole images with that on their parts.

    Parameters
    ----------
    scores
        Of k images.
    targets, patients
        Of all n images that `scores.positions` counts in.
    source
        Where the masks came from.
    """
    own_targets, own_patients = targets[scores.positions], [patients[i] for i in scores.positions]
    parts = {"whole": scores.whole, "lungs_hidden": scores.lungs_hidden, "lungs_only": scores.lungs_only}
    return {
        "masks": source,
        "images": len(own_targets),
        "patients": len(set(own_patients)),
        **{f"auc_{name}": _rounded(weighted_auc(values, own_targets)) for name, values in parts.items()},
        **{f"auc_{name}_95": _rounded(auc_interval(v, own_targets, own_patients)) for name, v in parts.items()},
    }


def _hide_in_batches(images: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Hide in batches, because the averages are float64."""
    starts = range(0, len(images), _BATCH)
    return np.concatenate([hide(images[i : i + _BATCH], masks[i : i + _BATCH]) for i in starts])


def _predicted(segmenter: Path, examples: Sequence[Example], image_size: int) -> NDArray[np.bool_]:
    session = onnxruntime.InferenceSession(str(segmenter), providers=["CPUExecutionProvider"])
    images = load_images(examples, session.get_inputs()[0].shape[1])
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    masks = np.concatenate([session.run(["mask"], {"image": batch})[0] for batch in batches])
    grey = np.rint(masks.clip(0, 1) * 255).astype(np.uint8)
    return np.stack([_prepared(mask, image_size) for mask in grey])


def _read_mask(path: Path, image_size: int) -> NDArray[np.bool_]:
    with Image.open(path) as file:
        return _prepared(np.asarray(file.convert("L")), image_size)


def _prepared(mask: NDArray[np.uint8], image_size: int) -> NDArray[np.bool_]:
    """Bring a grey mask to size, and widen it."""
    resized = resize_antialiased(mask, image_size, image_size) >= 128
    window = 2 * round(_DILATION * image_size) + 1
    widened = Image.fromarray(resized.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(window))
    return np.asarray(widened) > 0


def _gaussian(size: int) -> NDArray[np.float64]:
    """Smooth along one axis as a matrix product, shape ``[size, size]``."""
    steps = np.arange(size)
    distance = (steps[:, np.newaxis] - steps) / (_BLUR * size)
    kernel = np.exp(-np.square(distance) / 2)
    return np.asarray(kernel / kernel.sum(axis=1).max())


def _rounded(value: float | tuple[float, float] | None) -> float | list[float] | None:
    if isinstance(value, tuple):
        return [round(bound, 4) for bound in value]
    return None if value is None else round(value, 4)
