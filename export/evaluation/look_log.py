"""The log of looks at the official test split, which is for one final figure per release."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.release.provenance import sha256_of
from export.training.plan import read_plan


@contextmanager
def logged_look(log: Path, run: Path, images: int) -> Iterator[dict[str, Any]]:
    """Log a look before it happens, and its outcome after it.

    Yields
    ------
    A place for the figures. Without them the look stays in the log as not finished.

    Raises
    ------
    FileNotFoundError
        The run is not converted, or the log cannot be opened; nothing has been looked at.
    """
    with logged_look_at(log, read_plan(run).architecture, run / "model.onnx", images) as figures:
        yield figures


@contextmanager
def logged_look_at(log: Path, architecture: str, model: Path, images: int) -> Iterator[dict[str, Any]]:
    """Log a look with a model file of no run folder, as `logged_look` does."""
    started = (f"{datetime.now(UTC):%Y-%m-%d}", architecture, f"`{sha256_of(model)[:16]}`")
    figures: dict[str, Any] = {"auc": "not finished", "accuracy": ""}
    with log.open("a") as file:
        file.write(f"| {' | '.join(started)} | {images} | ")
        file.flush()
        try:
            yield figures
        finally:
            file.write(f"{figures['auc']} | {figures['accuracy']} |\n")
