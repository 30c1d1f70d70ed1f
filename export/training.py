"""Training: one plan in, one run folder out.

A run folder holds `plan.json`, `model.weights.h5`, `history.csv`, the TensorBoard logs, the checkpoint from
which an interrupted training goes on, and, for a fold, `held_out.csv`: the log-odds of images that the
network has not seen, from which calibration and thresholds are made.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from export.architectures import ARCHITECTURES, log_odds
from export.augmentation import AugmentationRange, augment
from export.data import Example, load_images, read_split, split_fold, targets_of


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """All that decides a training. `fold` is the fold held out, or None to train on the whole split."""

    architecture: str
    image_size: int
    init: str = "none"
    fold: int | None = None
    epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 2e-4
    patience: int = 3
    augmentation: bool = True
    precision: str = "float32"
    seed: int = 0


def train(plan: TrainingPlan, data: Path, run: Path) -> None:
    """Train a network, or go on with the training that was interrupted in `run`.

    Raises
    ------
    ValueError
        `run` holds the training of another plan.
    """
    _claim_run_folder(plan, run)
    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if plan.precision == "bfloat16" else "float32")
    training, held_out = _examples_of(plan, data)
    images = load_images(training, plan.image_size)
    validation = (load_images(held_out, plan.image_size), targets_of(held_out)) if held_out else None
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, plan.init)
    _compile(model, plan, steps=plan.epochs * -(-len(images) // plan.batch_size))
    model.fit(
        _batches(images, targets_of(training), plan),
        validation_data=validation,
        epochs=plan.epochs,
        class_weight=_class_weights(training),
        shuffle=False,  # the batches come shuffled
        callbacks=_callbacks(plan, run, validates=validation is not None),
    )
    model.save_weights(run / "model.weights.h5")
    if validation is not None:
        _write_held_out(run / "held_out.csv", held_out, log_odds(model.predict(validation[0])))


def read_plan(run: Path) -> TrainingPlan:
    """Read the plan of a finished or interrupted run."""
    return TrainingPlan(**json.loads((run / "plan.json").read_text()))


def load_trained(run: Path) -> keras.Model:
    """Build the network of a run in float32 and load its weights."""
    plan = read_plan(run)
    keras.mixed_precision.set_global_policy("float32")
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, "none")
    model.load_weights(run / "model.weights.h5")
    return model


def _claim_run_folder(plan: TrainingPlan, run: Path) -> None:
    run.mkdir(parents=True, exist_ok=True)
    if (run / "plan.json").exists():
        if read_plan(run) != plan:
            raise ValueError(f"The run folder holds another plan; name a new folder. Received: run={run}")
        return
    (run / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n")


def _examples_of(plan: TrainingPlan, data: Path) -> tuple[list[Example], list[Example]]:
    examples = read_split(data, "train")
    return (examples, []) if plan.fold is None else split_fold(examples, plan.fold)


def _compile(model: keras.Model, plan: TrainingPlan, steps: int) -> None:
    warmup = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=plan.learning_rate / 10,
        warmup_target=plan.learning_rate,
        warmup_steps=warmup,
        decay_steps=steps - warmup,
    )
    outputs_log_odds = model.output_shape[-1] == 1
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-4) if outputs_log_odds else keras.optimizers.Adam(schedule),
        loss=keras.losses.BinaryCrossentropy(from_logits=True)
        if outputs_log_odds
        else keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0) if outputs_log_odds else "accuracy"],
    )


def _batches(images: NDArray[np.uint8], targets: NDArray[np.float32], plan: TrainingPlan) -> tf.data.Dataset:
    limits = AugmentationRange()

    def prepare(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grey = tf.cast(batch, tf.float32)
        return (augment(grey, limits) if plan.augmentation else grey), target

    return (
        tf.data.Dataset.from_tensor_slices((images, targets))
        .shuffle(len(images), seed=plan.seed)
        .batch(plan.batch_size)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(2)
    )


def _class_weights(examples: Sequence[Example]) -> dict[int, float]:
    positives = sum(example.target for example in examples)
    return {0: len(examples) / (2 * (len(examples) - positives)), 1: len(examples) / (2 * positives)}


def _callbacks(plan: TrainingPlan, run: Path, *, validates: bool) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.BackupAndRestore(run / "checkpoint", delete_checkpoint=False),
        keras.callbacks.CSVLogger(run / "history.csv", append=True),
        keras.callbacks.TensorBoard(run / "tensorboard"),
    ]
    if validates:
        callbacks.append(keras.callbacks.EarlyStopping(patience=plan.patience, restore_best_weights=True))
    return callbacks


def _write_held_out(path: Path, examples: Sequence[Example], scores: NDArray[np.float64]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "target", "log_odds"])
        writer.writerows(
            [example.path.name, example.target, f"{score:.6f}"] for example, score in zip(examples, scores, strict=True)
        )
