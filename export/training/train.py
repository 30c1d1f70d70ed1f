"""Training: one plan in, one run folder out.

A run folder holds `plan.json`, `training_data.json`, `history.csv`, the TensorBoard logs, the checkpoint from which an
interrupted training goes on and, for a fold, `held_out.csv`: the images that the network has not seen, with its
log-odds. `model.weights.h5` comes last: where it is, the training is finished.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from export.data.augmentation import AugmentationRange, augment
from export.data.examples import Example, load_images, read_split, split_fold, targets_of
from export.networks.architectures import ARCHITECTURES, log_odds
from export.training.early_stopping import StopWithoutImprovement, has_stopped_improving
from export.training.records import describe_data, write_held_out

_WEIGHTS, _BEST_WEIGHTS = "model.weights.h5", "best.weights.h5"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """All that decides a training. `fold` is the fold held out, or None to train on the whole split.

    `patience` 0 trains for all `epochs` and keeps the last weights. More stops that many epochs after the best one on
    the fold and keeps the best weights: good for finding out how many epochs to train, not for figures, since the
    fold has then chosen what it judges. The run that calibrates and the full run have the same plan with `patience` 0.
    """

    architecture: str
    image_size: int
    init: str = "none"
    fold: int | None = None
    epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 2e-4
    patience: int = 0
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
    if (run / _WEIGHTS).exists():
        print(f"{run} holds a finished training; nothing to do.")
        return
    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if plan.precision == "bfloat16" else "float32")
    training, held_out = _examples_of(plan, data)
    _write_json(run / "training_data.json", describe_data(training, held_out))
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, plan.init)
    _compile(model, plan, steps=plan.epochs * -(-len(training) // plan.batch_size))
    unseen = load_images(held_out, plan.image_size) if held_out else None
    _fit(model, plan, run, training, None if unseen is None else (unseen, targets_of(held_out)))
    if unseen is not None:
        write_held_out(run, held_out, log_odds(model.predict(unseen)))
    _save_finished(model, run)


def read_plan(run: Path) -> TrainingPlan:
    """Read the plan of a finished or interrupted run, with the file name alone of its starting weights."""
    return _without_folder(TrainingPlan(**json.loads((run / "plan.json").read_text())))


def load_trained(run: Path) -> keras.Model:
    """Build the network of a run in float32 and load its weights."""
    plan = read_plan(run)
    keras.mixed_precision.set_global_policy("float32")
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, "none")
    model.load_weights(run / _WEIGHTS)
    return model


def _claim_run_folder(plan: TrainingPlan, run: Path) -> None:
    run.mkdir(parents=True, exist_ok=True)
    if (run / "plan.json").exists():
        if read_plan(run) != _without_folder(plan):
            raise ValueError(f"The run folder holds another plan; name a new folder. Received: run={run}")
        return
    _write_json(run / "plan.json", asdict(_without_folder(plan)))


def _without_folder(plan: TrainingPlan) -> TrainingPlan:
    """Keep the name of the file with the starting weights: where it lay is nobody's business, and differs."""
    return replace(plan, init=Path(plan.init).name)


def _examples_of(plan: TrainingPlan, data: Path) -> tuple[list[Example], list[Example]]:
    examples = read_split(data, "train")
    return (examples, []) if plan.fold is None else split_fold(examples, plan.fold)


def _fit(
    model: keras.Model,
    plan: TrainingPlan,
    run: Path,
    training: Sequence[Example],
    validation: tuple[NDArray[np.uint8], NDArray[np.float32]] | None,
) -> None:
    stops_early = plan.patience > 0 and validation is not None
    if not (stops_early and has_stopped_improving(run / "history.csv", plan.patience)):
        model.fit(
            _batches(load_images(training, plan.image_size), targets_of(training), plan),
            validation_data=validation,
            epochs=plan.epochs,
            class_weight=_class_weights(training),
            shuffle=False,  # the batches come shuffled
            callbacks=[*(_early_stopping(plan, run) if stops_early else []), *_callbacks(run)],
        )
    if stops_early:
        model.load_weights(run / _BEST_WEIGHTS)


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
    model.optimizer.build(model.trainable_variables)  # so that saved weights, which hold its state, can be loaded


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


def _early_stopping(plan: TrainingPlan, run: Path) -> list[keras.callbacks.Callback]:
    return [StopWithoutImprovement(run / "history.csv", run / _BEST_WEIGHTS, plan.patience)]


def _callbacks(run: Path) -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.CSVLogger(run / "history.csv", append=True),
        keras.callbacks.TensorBoard(run / "tensorboard"),
        # The last: an epoch counts as done when all else about it is written.
        keras.callbacks.BackupAndRestore(run / "checkpoint", delete_checkpoint=False),
    ]


def _save_finished(model: keras.Model, run: Path) -> None:
    """Save under another name first, so that half a file is never taken for a finished training."""
    model.save_weights(run / "partial.weights.h5")
    os.replace(run / "partial.weights.h5", run / _WEIGHTS)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
