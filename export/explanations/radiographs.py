"""Which radiographs the benchmark looks at, and where their lungs are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER
from api.explain.evidence import on_frame
from api.imaging.decode import decode
from api.types import Subject
from export.data.examples import Example, read_split, split_fold
from export.evaluation.calibration import sigmoid
from export.explanations.contenders import look_at
from export.explanations.model_files import ModelFiles
from export.lungs.examples import load_mask

Split = Literal["train", "val", "test"]
_MAX_PIXELS = 50_000_000
_LUNG = 0.5
_JUDGED_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Radiographs:
    """Radiographs to choose from: an official split, or of `train` the fold that a run held out."""

    data: Path
    split: Split
    fold: int | None = None

    def examples(self) -> list[Example]:
        """List them, sorted by label and file name.

        Raises
        ------
        ValueError
            A fold is given of another split than `train`.
        """
        every = read_split(self.data, self.split)
        if self.fold is None:
            return every
        if self.split != "train":
            raise ValueError(f"Only train is divided into folds. Received: split={self.split}, fold={self.fold}")
        return split_fold(every, self.fold)[1]

    def describe(self) -> str:
        """Say which they are."""
        if self.fold is not None:
            return f"children of the training split held out as fold {self.fold}"
        return {"train": "the training split", "val": "the validation split", "test": "the public test images"}[
            self.split
        ]


def called_pneumonia(candidates: Sequence[Example], wanted: int, models: ModelFiles) -> list[tuple[Example, Subject]]:
    """Take pneumonias that the classifier calls PNEUMONIA, whose explanations the gateway would show.

    Parameters
    ----------
    candidates
        Radiographs to choose from.
    wanted
        How many; fewer if there are not as many.
    models
        Whose classifier calls, at its own threshold.

    Returns
    -------
    Radiographs in an order drawn once for all, the first of each patient before the second of any.
    """
    taken: list[tuple[Example, Subject]] = []
    threshold = float(models.models[CLASSIFIER].spec.release["decision_threshold"])
    waiting = in_turn([example for example in candidates if example.target == 1])
    while waiting and len(taken) < wanted:
        now, waiting = waiting[:_JUDGED_TOGETHER], waiting[_JUDGED_TOGETHER:]
        subjects = [look_at(read_pixels(example), models) for example in now]
        probabilities = sigmoid(models.log_odds(np.stack([subject.seen for subject in subjects])))
        called = zip(now, subjects, probabilities >= threshold, strict=True)
        taken += [(example, subject) for example, subject, positive in called if positive]
    return taken[:wanted]


def in_turn(examples: Sequence[Example]) -> list[Example]:
    """Order radiographs at random, always the same way, so that no patient has a turn before all others had as many."""
    drawn = [examples[place] for place in np.random.default_rng(0).permutation(len(examples))]
    seen: Counter[str] = Counter()
    turns = []
    for example in drawn:
        turns.append(seen[example.patient])
        seen[example.patient] += 1
    return [drawn[place] for place in np.argsort(turns, kind="stable")]


def read_pixels(example: Example) -> NDArray[np.uint8]:
    """Decode a radiograph: grey levels ``[rows, columns]``."""
    return decode(example.path.read_bytes(), max_pixels=_MAX_PIXELS).pixels


def lungs_of(example: Example, subject: Subject, data: Path) -> tuple[NDArray[np.bool_], bool] | None:
    """Find the lungs on the common frame, ``[FRAME, FRAME]``, and whether a person drew them; None if there are none.

    The reference mask of the data where it has one, ``lung_masks/<name of the image>.png``, else the lung segmenter's.
    """
    file = data / "lung_masks" / f"{example.path.stem}.png"
    mask = on_frame(load_mask(file).astype(np.float32) / np.float32(255)) if file.is_file() else None
    if mask is None and subject.lungs is not None:
        mask = on_frame(subject.lungs)
    if mask is None or not (mask >= _LUNG).any():
        return None
    return np.asarray(mask >= _LUNG), file.is_file()
