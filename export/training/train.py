"""Training: one plan in, one run folder out.

A run folder holds `plan.json`, `training_data.json`, `history.csv`, the TensorBoard logs, the checkpoint from which an
interrupted training goes on and, for a fold, `held_out.csv`: the images that the network has not seen, with its
log-odds. `model.weights.h5` comes last: where it is, the training is finished.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from export.data.examples import Example, load_images, read_split, split_fold, targets_of
from export.data.nih import read_nih
from export.data.weights import sample_weights
from export.networks.architectures import ARCHITECTURES, log_odds
from export.networks.starting_weights import load_starting_weights
from export.run_folder import WEIGHTS, cosine_schedule, recording_callbacks, save_finished, write_json
from export.training.activation import class_activation
from export.training.batches import AugmentedBatches, TrainingImages
from export.training.early_stopping import StopWithoutImprovement, has_stopped_improving
from export.training.plan import TrainingPlan, claim_run_folder, read_plan
from export.training.records import describe_data, write_held_out

_BEST_WEIGHTS = "best.weights.h5"


def train(plan: TrainingPlan, data: Path, run: Path) -> None:
    """Train a network, or go on with the training that was interrupted in `run`.

    Raises
    ------
    ValueError
        `run` holds the training of another plan, or the training starts from a run with another fold held out.
    """
    claim_run_folder(plan, run)
    if (run / WEIGHTS).exists():
        print(f"{run} holds a finished training; nothing to do.")
        return
    keras.utils.set_random_seed(plan.seed)
    training, held_out = split_examples(plan, data)
    write_json(run / "training_data.json", {**describe_data(training, held_out), **_origins(plan)})
    prepared = _prepare(training, plan)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if plan.precision == "bfloat16" else "float32")
    model = _build(plan)
    _compile(model, plan, steps=plan.epochs * -(-len(training) // plan.batch_size))
    unseen = load_images(held_out, plan.image_size) if held_out else None
    _fit(model, plan, run, prepared, None if unseen is None else (unseen, targets_of(held_out)))
    if unseen is not None:
        write_held_out(run, held_out, log_odds(model.predict(unseen)))
    save_finished(model, run)


def train_folds(plan: TrainingPlan, data: Path, run: Path, folds: int) -> None:
    """Train one network for each fold held out, in `run`/fold-0 and so on: out-of-fold answers for every image."""
    for fold in range(folds):
        keras.backend.clear_session()
        train(replace(plan, fold=fold), data, run / f"fold-{fold}")


def load_trained(run: Path) -> keras.Model:
    """Build the network of a run in float32 and load its weights."""
    plan = read_plan(run)
    keras.mixed_precision.set_global_policy("float32")
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, plan.head, False)
    model.load_weights(run / WEIGHTS)
    return model


def split_examples(plan: TrainingPlan, data: Path) -> tuple[list[Example], list[Example]]:
    """List what a plan trains on and what it holds out."""
    examples = [*read_split(data, "train"), *(read_nih(data) if plan.adults else [])]
    return (examples, []) if plan.fold is None else split_fold(examples, plan.fold)


def _origins(plan: TrainingPlan) -> dict[str, object]:
    """Record the plans of the runs whose weights are the start, and see that none has seen what is held out now."""
    if not Path(plan.init).is_dir():
        return {}
    start = read_plan(Path(plan.init))
    if start.fold != plan.fold:
        raise ValueError(
            f"The run to start from must have the same fold held out. Received: fold={start.fold}, not {plan.fold}"
        )
    return {"started_from": {**asdict(start), **_read_json(Path(plan.init) / "training_data.json", "started_from")}}


def _prepare(training: list[Example], plan: TrainingPlan) -> TrainingImages:
    images = load_images(training, plan.image_size)
    activations = None
    if plan.masking and plan.masking.activation_run:
        activations = _first_models_activations(Path(plan.masking.activation_run), training)
    weights = sample_weights(training, images, plan.balance, plan.adult_weight)
    return TrainingImages(images, targets_of(training)[:, 0], weights, activations)


def _first_models_activations(run: Path, training: list[Example]) -> NDArray[np.float32]:
    return class_activation(load_trained(run), load_images(training, read_plan(run).image_size))


def _build(plan: TrainingPlan) -> keras.Model:
    model = ARCHITECTURES[plan.architecture].build(plan.image_size, plan.head, plan.init == "imagenet")
    if plan.init not in ("none", "imagenet"):
        load_starting_weights(Path(plan.init), model)
    return model


def _fit(
    model: keras.Model,
    plan: TrainingPlan,
    run: Path,
    training: TrainingImages,
    validation: tuple[NDArray[np.uint8], NDArray[np.float32]] | None,
) -> None:
    stops_early = plan.patience > 0 and validation is not None
    if not (stops_early and has_stopped_improving(run / "history.csv", plan.patience)):
        batches = AugmentedBatches(training, plan)
        model.fit(
            batches,
            validation_data=validation,
            epochs=plan.epochs,
            shuffle=False,  # the batches come shuffled
            callbacks=[
                batches.follow_epochs(),
                *(_early_stopping(plan, run) if stops_early else []),
                *recording_callbacks(run),
            ],
        )
    if stops_early:
        model.load_weights(run / _BEST_WEIGHTS)


def _compile(model: keras.Model, plan: TrainingPlan, steps: int) -> None:
    schedule = cosine_schedule(plan.learning_rate, steps // 10, steps)
    averaging = {"use_ema": True, "ema_momentum": plan.averaging} if plan.averaging else {}
    outputs_log_odds = model.output_shape[-1] == 1
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-4, **averaging)
        if plan.optimizer == "adamw"
        else keras.optimizers.Adam(schedule, **averaging),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=plan.label_smoothing)
        if outputs_log_odds
        else keras.losses.SparseCategoricalCrossentropy(),
        weighted_metrics=[keras.metrics.BinaryAccuracy(threshold=0.0) if outputs_log_odds else "accuracy"],
    )
    model.optimizer.build(model.trainable_variables)  # so that saved weights, which hold its state, can be loaded


def _early_stopping(plan: TrainingPlan, run: Path) -> list[keras.callbacks.Callback]:
    return [StopWithoutImprovement(run / "history.csv", run / _BEST_WEIGHTS, plan.patience)]


def _read_json(path: Path, key: str) -> dict[str, object]:
    content = json.loads(path.read_text())
    return {key: content[key]} if key in content else {}
