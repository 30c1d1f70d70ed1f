"""The radiographs of Kermany et al. (2018) as records, arrays and patient-wise folds.

The folder holds ``train|val|test/NORMAL|PNEUMONIA/*.jpeg`` as published (doi:10.17632/rscbjbr9sj). A
`manifest.csv` beside or above it is used where present; otherwise patients are read off the file names.
"""

import csv
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from api.imaging.decode import decode
from api.imaging.preprocess import resize_antialiased

LABELS = ("NORMAL", "PNEUMONIA")
CHILDREN, ADULTS = "children", "adults"
FOLDS = 5
_PATIENT_PATTERNS = (r"(person\d+_(?:bacteria|virus))_", r"((?:NORMAL2-)?IM-\d+)-")
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class Example:
    """One radiograph of the data set. `target` is 1 for PNEUMONIA and 0 for NORMAL.

    `sex` is M or F, `age` in years, `view` PA or AP; empty or None where the data set does not tell.
    """

    path: Path
    target: int
    subtype: str
    patient: str
    population: str = CHILDREN
    sex: str = ""
    age: int | None = None
    view: str = ""


def read_split(data: Path, split: Literal["train", "val", "test"]) -> list[Example]:
    """List the radiographs of one official split, sorted by file name.

    Raises
    ------
    FileNotFoundError
        The folder has no such split.
    """
    root = data / "chest_xray" if (data / "chest_xray").is_dir() else data
    patients = _patients_of_manifest(data / "manifest.csv")
    examples = [
        Example(path, target, _subtype(path.name), patients.get(path.name) or patient_of(path.name))
        for target, label in enumerate(LABELS)
        for path in sorted((root / split / label).glob("*.jpeg"))
    ]
    if not examples:
        raise FileNotFoundError(f"Expected radiographs in {split}/NORMAL and {split}/PNEUMONIA. Received: data={data}")
    return examples


def _patients_of_manifest(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    with manifest.open(newline="") as file:
        return {row["filename"]: row["patient"] for row in csv.DictReader(file)}


def patient_of(filename: str) -> str:
    """Read the patient off an official file name, such as ``person12_virus_3.jpeg`` or ``IM-0115-0001.jpeg``.

    Raises
    ------
    ValueError
        The name is not of the official form, so the patient is unknown and no safe split can be made.
    """
    for pattern in _PATIENT_PATTERNS:
        if match := re.match(pattern, filename):
            return match[1]
    raise ValueError(f"The file name must be of the official form. Received: filename={filename}")


def fold_group(patient: str) -> str:
    """Name the group whose images stay in one fold.

    808 person numbers occur as `personN_bacteria` and as `personN_virus`. The data set does not say whether they are
    one child with two infections or two children, so both are kept together: a fold too cautious costs nothing, a leak
    does.
    """
    return re.sub(r"^(person\d+)_(?:bacteria|virus)$", r"\1", patient)


def _subtype(filename: str) -> str:
    return next((subtype for subtype in ("bacteria", "virus") if subtype in filename), "normal")


def split_fold(examples: Sequence[Example], fold: int, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """Split into training and validation examples, patient-wise and with the class balance kept.

    Parameters
    ----------
    examples
        All examples of the official training split.
    fold
        Which of the `FOLDS` parts to hold out, from 0.
    seed
        Decides which patients meet in a fold.

    Returns
    -------
    Examples to train on and examples held out, of each population the same share. No `fold_group` is in both.
    """
    kept: list[Example] = []
    held_out: list[Example] = []
    for population in dict.fromkeys(example.population for example in examples):
        parts = _split_population([e for e in examples if e.population == population], fold, seed)
        kept.extend(parts[0])
        held_out.extend(parts[1])
    return kept, held_out


def _split_population(examples: Sequence[Example], fold: int, seed: int) -> tuple[list[Example], list[Example]]:
    splitter = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    targets = [example.target for example in examples]
    groups = [fold_group(example.patient) for example in examples]
    kept, held_out = list(splitter.split(targets, targets, groups))[fold]
    return [examples[i] for i in kept], [examples[i] for i in held_out]


def load_images(examples: Sequence[Example], image_size: int) -> NDArray[np.uint8]:
    """Decode and shrink radiographs with the gateway's own functions.

    Returns
    -------
    Grey levels, shape ``[n, image_size, image_size, 1]``, 0 to 255.
    """

    def load(example: Example) -> NDArray[np.uint8]:
        radiograph = decode(example.path.read_bytes(), max_pixels=_MAX_PIXELS)
        return resize_antialiased(radiograph.pixels, image_size, image_size)

    with ThreadPoolExecutor() as pool:
        images = list(tqdm(pool.map(load, examples), total=len(examples), desc="reading", unit="image"))
    return np.stack(images)[..., np.newaxis]


def targets_of(examples: Sequence[Example]) -> NDArray[np.float32]:
    """Targets as a column, shape ``[n, 1]``, 1 for PNEUMONIA."""
    return np.array([[example.target] for example in examples], dtype=np.float32)
