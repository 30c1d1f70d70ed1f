"""Early stopping, with and without an interruption."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from export.training.early_stopping import has_stopped_improving
from export.training.train import load_trained, train
from tests.unit.export.conftest import TINY_PLAN

STOPPED = "epoch,loss,val_loss\n0,0.9,0.5\n1,0.8,0.6\n2,0.7,0.7\n"


@pytest.mark.parametrize(
    ("losses", "stopped"),
    [([0.5], False), ([0.5, 0.6], False), ([0.5, 0.6, 0.7], True), ([0.5, 0.6, 0.4], False), ([0.5, 0.5, 0.5], True)],
)
def test_two_epochs_without_improvement_are_the_end(tmp_path: Path, losses: list[float], stopped: bool) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,val_loss\n" + "".join(f"{epoch},{loss}\n" for epoch, loss in enumerate(losses)))
    assert has_stopped_improving(history, patience=2) is stopped


def test_an_epoch_trained_again_counts_once(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,val_loss\n0,0.5\n1,0.6\n1,0.6\n")
    assert not has_stopped_improving(history, patience=2)


def test_without_a_history_nothing_has_stopped(tmp_path: Path) -> None:
    assert not has_stopped_improving(tmp_path / "history.csv", patience=1)


def test_patience_stops_and_keeps_the_best_weights(data: Path, tmp_path: Path) -> None:
    """At a learning rate that overshoots, later epochs are worse."""
    run = tmp_path / "run"
    train(dataclasses.replace(TINY_PLAN, fold=0, patience=1, epochs=30, learning_rate=30.0), data, run)
    rows = (run / "history.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[-1]) for row in rows]
    assert len(losses) == losses.index(min(losses)) + 2 < 30
    kept = load_trained(run).get_weights()
    shutil.copyfile(run / "checkpoint" / "latest.weights.h5", run / "model.weights.h5")
    assert any(not np.array_equal(a, b) for a, b in zip(kept, load_trained(run).get_weights(), strict=True))


def test_a_run_interrupted_after_its_stop_does_not_go_on(data: Path, tiny_fold_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_fold_run / "checkpoint", run / "checkpoint")
    shutil.copyfile(tiny_fold_run / "model.weights.h5", run / "best.weights.h5")
    (run / "history.csv").write_text(STOPPED)
    train(dataclasses.replace(TINY_PLAN, fold=0, patience=2, epochs=9), data, run)
    assert (run / "history.csv").read_text() == STOPPED
    for kept, best in zip(load_trained(run).get_weights(), load_trained(tiny_fold_run).get_weights(), strict=True):
        np.testing.assert_array_equal(kept, best)


def test_an_interrupted_run_remembers_its_best_epoch(data: Path, tiny_fold_run: Path, tmp_path: Path) -> None:
    """The epochs before the interruption were better than any to come, so their weights stay the best."""
    run = tmp_path / "run"
    shutil.copytree(tiny_fold_run / "checkpoint", run / "checkpoint")  # of epoch 3
    shutil.copyfile(tiny_fold_run / "model.weights.h5", run / "best.weights.h5")
    header = (tiny_fold_run / "history.csv").read_text().splitlines()[0]
    row = ",0" * header.count(",")
    (run / "history.csv").write_text(header + f"\n0{row}\n1{row}\n2{row}\n")
    train(dataclasses.replace(TINY_PLAN, fold=0, patience=3, epochs=9), data, run)
    assert (run / "history.csv").read_text().splitlines()[-1].startswith("3,")
    for kept, best in zip(load_trained(run).get_weights(), load_trained(tiny_fold_run).get_weights(), strict=True):
        np.testing.assert_array_equal(kept, best)
