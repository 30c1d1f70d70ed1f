"""Training of the lung segmenter: one plan in, one run folder out.

A run folder holds `plan.json`, `training_data.json`, `held_out.csv` with the radiographs that the network has not seen,
`history.csv`, the TensorBoard logs and the checkpoint from which an interrupted training goes on. `model.weights.h5`
comes last: where it is, the training is finished.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from export.lungs.augmentation import shrink
from export.lungs.batches import LungBatches
from export.lungs.examples import LungExample, load_pairs, read_lung_examples
from export.lungs.network import build_lung_network
from export.run_folder import WEIGHTS, cosine_schedule, recording_callbacks, save_finished, write_json

ARCHITECTURE = "unet"


@dataclass(frozen=True, slots=True)
class LungTrainingPlan:
    """All that decides a training. `fold` is held out and judges the network, which is shipped as it is.

    Nothing is chosen on the fold: the training runs for all `epochs` and keeps the last weights.
    """

    architecture: str = ARCHITECTURE
    image_size: int = 160
    widths: tuple[int, ...] = (24, 48, 96, 128)
    fold: int = 0
    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 2e-3
    no_chest_share: float = 0.08
    precision: str = "float32"
    seed: int = 0


def train_lungs(plan: LungTrainingPlan, data: Path, run: Path) -> None:
    """Train the segmenter, or go on with the training that was interrupted in `run`.

    Raises
    ------
    ValueError
        `run` holds the training of another plan.
    """
    _claim_run_folder(plan, run)
    if (run / WEIGHTS).exists():
        print(f"{run} holds a finished training; nothing to do.")
        return
    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if plan.precision == "bfloat16" else "float32")
    training, held_out = read_lung_examples(data, plan.fold)
    _record_data(run, training, held_out)
    model = build_lung_network(plan.image_size, plan.widths)
    _compile(model, plan, steps=plan.epochs * -(-len(training) // plan.batch_size))
    _fit(model, plan, run, training, held_out)
    save_finished(model, run)


def read_lung_plan(run: Path) -> LungTrainingPlan:
    """Read the plan of a finished or interrupted run."""
    content = json.loads((run / "plan.json").read_text())
    return LungTrainingPlan(**{**content, "widths": tuple(content["widths"])})


def read_held_out_names(run: Path) -> frozenset[str]:
    """Read the file names of the radiographs that a run has not seen, by its own record."""
    with (run / "held_out.csv").open(newline="") as file:
        return frozenset(row["filename"] for row in csv.DictReader(file))


def load_trained_lungs(run: Path) -> keras.Model:
    """Build the network of a run in float32 and load its weights."""
    keras.mixed_precision.set_global_policy("float32")
    plan = read_lung_plan(run)
    model = build_lung_network(plan.image_size, plan.widths)
    model.load_weights(run / WEIGHTS)
    return model


def overlap_loss(masks: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy plus one minus the soft Dice coefficient of the whole batch (Milletari et al. 2016).

    Over the batch, because one image's Dice coefficient says nothing where its mask is empty.
    """
    cross_entropy = ops.mean(ops.binary_crossentropy(masks, logits, from_logits=True))
    inside = ops.sigmoid(logits)
    dice = (2 * ops.sum(masks * inside) + 1) / (ops.sum(masks) + ops.sum(inside) + 1)
    return cross_entropy + 1 - dice


def _claim_run_folder(plan: LungTrainingPlan, run: Path) -> None:
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "plan.json").exists():
        write_json(run / "plan.json", asdict(plan))
    elif read_lung_plan(run) != plan:
        raise ValueError(f"The run folder holds another plan; name a new folder. Received: run={run}")


def _record_data(run: Path, training: Sequence[LungExample], held_out: Sequence[LungExample]) -> None:
    counts = {
        "images": len(training),
        "patients": len({example.patient for example in training}),
        "held_out_images": len(held_out),
        "held_out_patients": len({example.patient for example in held_out}),
    }
    write_json(run / "training_data.json", counts)
    with (run / "held_out.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "patient"])
        writer.writerows([example.radiograph.name, example.patient] for example in held_out)


def _compile(model: keras.Model, plan: LungTrainingPlan, steps: int) -> None:
    schedule = cosine_schedule(plan.learning_rate, max(1, steps // 20), steps)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3), loss=overlap_loss)
    model.optimizer.build(model.trainable_variables)  # so that saved weights, which hold its state, can be loaded


def _fit(
    model: keras.Model,
    plan: LungTrainingPlan,
    run: Path,
    training: Sequence[LungExample],
    held_out: Sequence[LungExample],
) -> None:
    radiographs, masks = load_pairs(training)
    batches = LungBatches(
        radiographs,
        masks,
        image_size=plan.image_size,
        batch_size=plan.batch_size,
        no_chest_share=plan.no_chest_share,
        seed=plan.seed,
        epoch=_epochs_done(run),
    )
    model.fit(
        batches,
        epochs=plan.epochs,
        shuffle=False,  # the batches come shuffled
        validation_data=_unchanged(held_out, plan.image_size),
        callbacks=recording_callbacks(run),
    )


def _unchanged(examples: Sequence[LungExample], size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    radiographs, masks = (np.stack([shrink(frame, size) for frame in part]) for part in load_pairs(examples))
    return radiographs[..., np.newaxis].astype(np.float32), masks[..., np.newaxis].astype(np.float32) / np.float32(255)


def _epochs_done(run: Path) -> int:
    """Count the epochs in the history; an epoch that was interrupted is not in it."""
    history = run / "history.csv"
    if not history.is_file():
        return 0
    with history.open(newline="") as file:
        return max((int(row["epoch"]) + 1 for row in csv.DictReader(file)), default=0)
