"""How every training writes its run folder, so that it can be interrupted and told afterwards."""

import json
import os
import time
from collections.abc import MutableMapping
from pathlib import Path

import keras

WEIGHTS = "model.weights.h5"


def recording_callbacks(run: Path) -> list[keras.callbacks.Callback]:
    """Give what keeps history, TensorBoard logs and the checkpoint from which an interrupted training goes on."""
    return [
        _Stopwatch(),
        keras.callbacks.CSVLogger(run / "history.csv", append=True),
        keras.callbacks.TensorBoard(run / "tensorboard"),
        # The last: an epoch counts as done when all else about it is written.
        keras.callbacks.BackupAndRestore(run / "checkpoint", delete_checkpoint=False),
    ]


def save_finished(model: keras.Model, run: Path) -> None:
    """Save the weights under another name first, so that half a file is never taken for a finished training."""
    model.save_weights(run / "partial.weights.h5")
    os.replace(run / "partial.weights.h5", run / WEIGHTS)


def cosine_schedule(peak: float, warmup: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rise from a tenth of the peak learning rate during `warmup` steps, then fall along a cosine to 0."""
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 10, warmup_target=peak, warmup_steps=warmup, decay_steps=steps - warmup
    )


def write_json(path: Path, content: object) -> None:
    """Write a record as a person reads it."""
    path.write_text(json.dumps(content, indent=2) + "\n")


class _Stopwatch(keras.callbacks.Callback):
    """Add the seconds that each epoch took to its record."""

    def on_epoch_begin(self, _epoch: int, _logs: object = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, _epoch: int, logs: MutableMapping[str, float]) -> None:
        logs["seconds"] = time.monotonic() - self._started
