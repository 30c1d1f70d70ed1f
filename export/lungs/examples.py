"""Radiographs with their lung masks: records, arrays and the patients held out.

Masks are the V7 Labs COVID-19 X-ray annotations (CC BY 4.0) of radiographs of the official training split. They include
the lung behind the heart; the spine and the mediastinum's middle are outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.imaging.decode import decode
from api.imaging.preprocess import resize_antialiased
from export.data.examples import Example, read_split, split_fold

FRAME_SIZE = 224  # pixels a side of the published masks; Dice is measured on them
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class LungExample:
    """One radiograph of the official training split and the mask of its lungs."""

    radiograph: Path
    mask: Path
    patient: str


def read_lung_examples(data: Path, fold: int) -> tuple[list[LungExample], list[LungExample]]:
    """List the radiographs that have a mask.

    The fold is made of the whole training split, as for the classifier, so that one patient is held out of both
    networks or of neither.

    Parameters
    ----------
    data
        The data set, with `lung_masks/<name of the radiograph>.png`.
    fold
        Which fold's patients to hold out.

    Returns
    -------
    Examples to train on and examples held out.

    Raises
    ------
    FileNotFoundError
        One of both is empty.
    """
    kept, held_out = (_with_masks(part, data / "lung_masks") for part in split_fold(read_split(data, "train"), fold))
    if not (kept and held_out):
        counts = f"{len(kept)} to train on, {len(held_out)} held out"
        raise FileNotFoundError(f"Expected masks in lung_masks/ for both parts of the split. Received: {counts}")
    return kept, held_out


def load_frame(path: Path, size: int = FRAME_SIZE) -> NDArray[np.uint8]:
    """Decode and shrink a radiograph with the gateway's own functions: grey levels ``[size, size]``, 0 to 255."""
    return resize_antialiased(decode(path.read_bytes(), max_pixels=_MAX_PIXELS).pixels, size, size)


def load_mask(path: Path) -> NDArray[np.uint8]:
    """Read a mask: ``[FRAME_SIZE, FRAME_SIZE]``, 255 in the lungs and 0 elsewhere."""
    with Image.open(BytesIO(path.read_bytes())) as image:
        grey = image.convert("L").resize((FRAME_SIZE, FRAME_SIZE), Image.Resampling.NEAREST)
    return np.asarray(grey)


def load_pairs(examples: Sequence[LungExample]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read radiographs and masks, each ``[n, FRAME_SIZE, FRAME_SIZE]``, 0 to 255."""
    radiographs = np.stack([load_frame(example.radiograph) for example in examples])
    return radiographs, np.stack([load_mask(example.mask) for example in examples])


def _with_masks(examples: Sequence[Example], folder: Path) -> list[LungExample]:
    pairs = [LungExample(e.path, folder / f"{e.path.stem}.png", e.patient) for e in examples]
    return [pair for pair in pairs if pair.mask.is_file()]
