"""Early stopping that an interruption does not make forget: its state is what the run folder holds."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras


class StopWithoutImprovement(keras.callbacks.Callback):
    """Keep the weights of the best epoch; stop when `patience` epochs have brought no lower `val_loss`.

    Keras's EarlyStopping starts anew when a training is resumed, and would then take a worse epoch for the best one.

    Parameters
    ----------
    history
        The file that CSVLogger writes; epochs before an interruption are read from it.
    best_weights
        Where the weights of the best epoch are kept.
    patience
        Epochs to wait, from 1.
    """

    def __init__(self, history: Path, best_weights: Path, patience: int) -> None:
        super().__init__()
        self.history = history
        self.best_weights = best_weights
        self.patience = patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Compare the epoch with those before it."""
        losses = [*_validation_losses(self.history, before=epoch), logs["val_loss"]]
        if _epochs_since_best(losses) == 0:
            self.model.save_weights(self.best_weights)
        self.model.stop_training = _epochs_since_best(losses) >= self.patience


def has_stopped_improving(history: Path, patience: int) -> bool:
    """Tell whether a training that left this history is past its stop."""
    losses = _validation_losses(history)
    return bool(losses) and _epochs_since_best(losses) >= patience


def _epochs_since_best(losses: Sequence[float]) -> int:
    return len(losses) - 1 - losses.index(min(losses))


def _validation_losses(history: Path, before: int | None = None) -> list[float]:
    """Read one loss per epoch; the later one where an interrupted epoch was trained again."""
    if not history.is_file():
        return []
    with history.open(newline="") as file:
        losses = {int(row["epoch"]): float(row["val_loss"]) for row in csv.DictReader(file)}
    return [losses[epoch] for epoch in sorted(losses) if before is None or epoch < before]
