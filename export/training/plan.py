"""All that decides a training, and how it is kept in a run folder."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from export.data.augmentation import AugmentationRange
from export.data.mask_augmentation import MaskAugmentation
from export.run_folder import write_json

_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """All that decides a training. `fold` is the fold held out, or None to train on the whole split.

    `patience` 0 trains for all `epochs` and keeps the last weights. More stops that many epochs after the best one on
    the fold and keeps the best weights: good for finding out how many epochs to train, not for figures, since the
    fold has then chosen what it judges.

    `balance` says what the weight of each image makes independent of the label: ``class`` only the label's frequency,
    ``style`` also the processing style of the radiograph and, for adults, the view (see `export.data.weights`).
    `adult_weight` is how much an adult counts for each child. `averaging` is the momentum of the running mean of the
    weights that is kept at the end, 0 for none.
    """

    architecture: str
    image_size: int
    init: str = "none"
    head: str = "average"
    fold: int | None = None
    adults: bool = False
    adult_weight: float = 1.0
    balance: str = "class"
    epochs: int = 6
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 2e-4
    label_smoothing: float = 0.0
    averaging: float = 0.0
    patience: int = 0
    augmentation: AugmentationRange | None = field(default_factory=AugmentationRange)
    masking: MaskAugmentation | None = None
    precision: str = "float32"
    seed: int = 0


def claim_run_folder(plan: TrainingPlan, run: Path) -> None:
    """Write the plan into a run folder, or find it there.

    Raises
    ------
    ValueError
        The folder holds the training of another plan.
    """
    run.mkdir(parents=True, exist_ok=True)
    if not (run / _FILE).exists():
        write_json(run / _FILE, asdict(_without_folders(plan)))
    elif read_plan(run) != _without_folders(plan):
        raise ValueError(f"The run folder holds another plan; name a new folder. Received: run={run}")


def read_plan(run: Path) -> TrainingPlan:
    """Read the plan of a finished or interrupted run; of files that it started from, the names alone."""
    content = json.loads((run / _FILE).read_text())
    ranges = content["augmentation"] and AugmentationRange(**content["augmentation"])
    masking = content.get("masking") and MaskAugmentation(**content["masking"])
    return _without_folders(TrainingPlan(**{**content, "augmentation": ranges, "masking": masking}))


def _without_folders(plan: TrainingPlan) -> TrainingPlan:
    """Keep the names of files: where they lay is nobody's business, and differs."""
    masking = plan.masking and replace(plan.masking, activation_run=Path(plan.masking.activation_run).name)
    return replace(plan, init=Path(plan.init).name, masking=masking)
