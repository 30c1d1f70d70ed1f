"""A whole small export: train on made radiographs, resume, convert, publish, check, serve."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from export.evaluation.evidence import Sources
from export.release.provenance import sha256_of
from export.release.publication import Release, publish
from export.steps import convert_run, evaluate_run
from export.training.plan import TrainingPlan, read_plan
from export.training.train import load_trained, train, train_folds
from serving.check import check_repository
from serving.embedded import EmbeddedBackend
from tests.unit.export.conftest import TINY_PLAN

PLAN = TrainingPlan("gradient", image_size=32, epochs=4, batch_size=8, learning_rate=3e-3, augmentation=None)


@pytest.fixture(scope="module")
def fold_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "fold"
    train(dataclasses.replace(PLAN, fold=0), data, run)
    return run


@pytest.fixture(scope="module")
def full_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "full"
    train(PLAN, data, run)
    return run


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_training_learns_and_leaves_what_is_needed_later(fold_run: Path) -> None:
    losses = [float(row["val_loss"]) for row in history(fold_run)]
    assert losses[-1] < losses[0]
    assert list((fold_run / "tensorboard").rglob("events.*"))
    with (fold_run / "held_out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    positive = [float(row["log_odds"]) for row in rows if row["target"] == "1"]
    negative = [float(row["log_odds"]) for row in rows if row["target"] == "0"]
    assert np.mean(positive) > np.mean(negative)


def test_an_interrupted_training_goes_on_where_it_stopped(data: Path, full_run: Path, tmp_path: Path) -> None:
    """A finished run is the checkpoint of an interrupted longer one: the weights and the epoch count are kept."""
    run = tmp_path / "run"
    run.mkdir()
    (full_run / "checkpoint").rename(run / "checkpoint")
    (run / "history.csv").write_text((full_run / "history.csv").read_text())
    train(dataclasses.replace(PLAN, epochs=5), data, run)
    assert [row["epoch"] for row in history(run)] == ["0", "1", "2", "3", "4"]
    (run / "checkpoint").rename(full_run / "checkpoint")


def test_a_finished_training_is_left_alone(data: Path, full_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in full_run.rglob("*") if path.is_file()}
    train(PLAN, data, full_run)
    assert {path: path.read_bytes() for path in full_run.rglob("*") if path.is_file()} == before
    assert "finished" in capsys.readouterr().out


def test_without_patience_the_last_epoch_is_kept(fold_run: Path, tmp_path: Path) -> None:
    """The checkpoint is written at the end of each epoch, so it has the last one's weights."""
    shutil.copyfile(fold_run / "plan.json", tmp_path / "plan.json")
    shutil.copyfile(fold_run / "checkpoint" / "latest.weights.h5", tmp_path / "model.weights.h5")
    assert not list(fold_run.glob("best*"))
    for kept, last in zip(load_trained(fold_run).get_weights(), load_trained(tmp_path).get_weights(), strict=True):
        np.testing.assert_array_equal(kept, last)


def test_the_plan_records_starting_weights_by_name(data: Path, tiny_run: Path, tmp_path: Path) -> None:
    """The folder is nobody's business, and a run goes on from wherever the file lies now."""
    start = shutil.copytree(tiny_run, tmp_path / "secret" / "start")
    plan = dataclasses.replace(TINY_PLAN, init=str(start), epochs=1)
    train(plan, data, tmp_path / "run")
    assert read_plan(tmp_path / "run").init == "start"
    assert "secret" not in (tmp_path / "run" / "plan.json").read_text()
    started_from = json.loads((tmp_path / "run" / "training_data.json").read_text())["started_from"]
    assert started_from == json.loads((tiny_run / "plan.json").read_text())
    train(dataclasses.replace(plan, init=str(tmp_path / "run")), data, tmp_path / "next")
    started_from = json.loads((tmp_path / "next" / "training_data.json").read_text())["started_from"]
    assert started_from["started_from"] == json.loads((tiny_run / "plan.json").read_text())
    train(dataclasses.replace(plan, init="/elsewhere/start"), data, tmp_path / "run")


def test_a_training_starts_from_the_weights_of_a_run(data: Path, tiny_run: Path, tmp_path: Path) -> None:
    """At a learning rate of nearly zero, the start is also the end."""
    train(dataclasses.replace(TINY_PLAN, init=str(tiny_run), epochs=1, learning_rate=1e-9), data, tmp_path)
    for started, ended in zip(load_trained(tiny_run).get_weights(), load_trained(tmp_path).get_weights(), strict=True):
        np.testing.assert_allclose(ended, started, atol=1e-6)


def test_what_is_held_out_now_was_held_out_at_the_start(data: Path, tiny_run: Path, tmp_path: Path) -> None:
    """The full run has seen the fold, so its weights would make the fold's figures too good."""
    with pytest.raises(ValueError, match="same fold"):
        train(dataclasses.replace(TINY_PLAN, init=str(tiny_run), fold=0), data, tmp_path)


def test_all_folds_give_every_image_an_answer_of_a_network_that_has_not_seen_it(data: Path, tmp_path: Path) -> None:
    train_folds(dataclasses.replace(TINY_PLAN, epochs=1), data, tmp_path, 2)
    answered = []
    for fold in (0, 1):
        with (tmp_path / f"fold-{fold}" / "held_out.csv").open(newline="") as file:
            answered.append({(row["filename"], row["target"]) for row in csv.DictReader(file)})
        assert read_plan(tmp_path / f"fold-{fold}").fold == fold
    assert answered[0].isdisjoint(answered[1])


def test_the_mean_of_the_weights_is_kept_where_asked_for(data: Path, tmp_path: Path) -> None:
    """With a momentum of nearly one, the mean stays where the weights began."""
    plan = dataclasses.replace(TINY_PLAN, epochs=1, averaging=0.9999)
    train(plan, data, tmp_path / "averaged")
    train(dataclasses.replace(plan, averaging=0.0), data, tmp_path / "last")
    train(dataclasses.replace(plan, averaging=0.0, learning_rate=1e-9), data, tmp_path / "start")
    averaged, last, start = (load_trained(tmp_path / name).get_weights()[0] for name in ("averaged", "last", "start"))
    assert np.abs(averaged - start).max() < 0.05 * np.abs(last - start).max()


def test_a_run_folder_holds_one_plan(data: Path, full_run: Path) -> None:
    with pytest.raises(ValueError, match="another plan"):
        train(dataclasses.replace(PLAN, seed=1), data, full_run)


async def test_a_published_run_passes_the_check_and_serves_what_keras_computes(
    data: Path, fold_run: Path, full_run: Path, tmp_path: Path
) -> None:
    convert_run(full_run, Sources(data, [fold_run]))
    figures = evaluate_run(full_run, data, "test", tmp_path / "log.md")
    assert figures["auc"] == 1.0
    assert "| gradient |" in (tmp_path / "log.md").read_text()
    assert (full_run / "evaluation-test.png").stat().st_size > 10_000
    measured = json.loads((full_run / "evaluation-test.json").read_text())["sha256"]
    assert measured == {"model.weights.h5": sha256_of(full_run / "model.weights.h5")}  # the served file judges nothing
    publish(full_run, Release(tmp_path / "repository", "pixel_importance", 1))
    assert check_repository(tmp_path / "repository") == []
    backend = await EmbeddedBackend.open(tmp_path / "repository")
    (model,) = await backend.models()
    assert model.release["evaluation"]["test"]["auc"] == 1.0
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    answer = await backend.infer(model, {"image": images}, ["importance"], timeout=10)
    kernel = np.asarray(load_trained(full_run).get_layer("pixel_weights").kernel)[..., 0]
    weights = ((kernel - kernel.min()) / np.ptp(kernel)).mean(axis=-1)
    np.testing.assert_allclose(answer["importance"].astype(np.float64), images[..., 0] / 255 * weights, atol=1e-5)
    await backend.close()
    with pytest.raises(FileExistsError):
        publish(full_run, Release(tmp_path / "repository", "pixel_importance", 1))
