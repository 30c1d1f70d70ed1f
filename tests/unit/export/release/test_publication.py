"""A small classifier from training to serving, and what may not be published."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.evaluation.evidence import Sources
from export.release.classifier import release_record
from export.release.publication import Release, publish
from export.steps import convert_run, evaluate_run
from export.training.train import load_trained
from serving.check import check_repository
from serving.embedded import EmbeddedBackend


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def log_odds_in_numpy(run: Path, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The tiny network, computed again: means of 8x8 blocks, one dense layer."""
    kernel, bias = (np.asarray(w, dtype=np.float64) for w in load_trained(run).get_layer("log_odds").get_weights())
    blocks = (images[..., 0] / 127.5 - 1).reshape(-1, 4, 8, 4, 8).mean(axis=(2, 4)).reshape(len(images), 16)
    return np.asarray(blocks @ kernel[:, 0] + bias[0])


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path / "repository", "classifier", 1)


async def test_a_published_classifier_serves_calibrated_answers(tiny_run: Path, release: Release) -> None:
    publish(tiny_run, release)
    assert check_repository(release.repository) == []
    assert (release.folder / "labels.txt").read_text() == "NORMAL\nPNEUMONIA\n"
    decision = read(tiny_run / "decision.json")
    assert decision["parity"] <= 1e-4
    backend = await EmbeddedBackend.open(release.repository)
    (model,) = await backend.models()
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)
    answer = await backend.infer(model, {"image": images}, ["logits", "probabilities"], timeout=10)
    await backend.close()
    z = decision["slope"] * log_odds_in_numpy(tiny_run, images) + decision["intercept"]
    assert np.ptp(z) > 0.1
    np.testing.assert_allclose(answer["logits"].astype(np.float64), np.stack([np.zeros(5), z], axis=1), atol=1e-3)
    np.testing.assert_allclose(answer["probabilities"][:, 1].astype(np.float64), 1 / (1 + np.exp(-z)), atol=1e-4)
    for key in ("decision_threshold", "indeterminate_band"):
        assert model.release[key] == decision[key]


def test_the_decision_is_made_from_the_held_out_patients_of_the_fold_network(
    tiny_fold_run: Path, tiny_run: Path
) -> None:
    """All pneumonias but 3 % reach the threshold, and the shipped calibration is that of the fold network."""
    decision = read(tiny_run / "decision.json")
    with (tiny_fold_run / "held_out.csv").open(newline="") as file:
        positives = [float(row["log_odds"]) for row in csv.DictReader(file) if row["target"] == "1"]
    calibrated = 1 / (1 + np.exp(-(decision["slope"] * np.array(positives) + decision["intercept"])))
    lowest = np.clip(np.floor(calibrated.min() * 1e4) / 1e4, 0.01, 0.99)  # of 8, no one may be missed
    assert decision["decision_threshold"] == pytest.approx(lowest, abs=2e-4)


def test_the_card_and_the_record_state_recorded_facts(run: Path, release: Release) -> None:
    facts = read(run / "training_data.json")
    assert facts == {
        "images": 80, "patients": 80, "pneumonia_images": 40, "held_out_images": 0, "file_sizes": ["40 x 40"],
        "populations": {"children": {"images": 80, "patients": 80}},
    }  # fmt: skip
    populations = {"children": {"images": 1234, "patients": 77}, "adults": {"images": 56, "patients": 5}}
    (run / "training_data.json").write_text(json.dumps(facts | {"populations": populations}))
    publish(run, release)
    card = (release.folder / "MODEL_CARD.md").read_text()
    for fact in (
        "paediatric chest radiographs: 1,234 images of 77 patients;",
        "mined from reports: 56 images of 5 patients; files of 40 x 40 pixels",
        "`[n, 32, 32, 1]`",
        "random weights",
        "for 3 epochs at 32 pixels, from random weights",
        "Augmentation: none",
        "Weights are stored as float32",
        "24 of the official 624",
        "cross-fitted | public test images |",
        "| cross_fitted_groups | 5 | |",
    ):
        assert fact in " ".join(card.split()), fact
    assert "$" not in card
    assert "sha256 |" not in card


def test_a_network_with_a_fold_held_out_is_published_with_figures_of_its_own(
    data: Path, tiny_fold_run: Path, tmp_path: Path, release: Release
) -> None:
    run = Path(shutil.copytree(tiny_fold_run, tmp_path / "fold"))
    convert_run(run, Sources(data, [run]))
    evaluate_run(run, data, "test", tmp_path / "log.md")
    publish(run, release)
    card = " ".join((release.folder / "MODEL_CARD.md").read_text().split())
    for fact in (
        "64 images of 64 patients; files of 40 x 40 pixels, resized to 32 x 32; 16 other images were held out",
        "thresholds come from 16 images of 16 patients, one fold of five, that this very network has not seen",
        "### Where pneumonia is rarer",
        "#### Population | group | images |",
    ):
        assert fact in card, fact
    record = release_record(run)
    assert record["prevalence"] == 0.5
    assert set(record["evaluation"]["held_out"]["subgroups"]) == {"subtype", "population"}


def spoil_model(run: Path) -> None:
    with (run / "model.onnx").open("ab") as file:
        file.write(b" ")


def spoil_weights(run: Path) -> None:
    with (run / "model.weights.h5").open("ab") as file:
        file.write(b" ")


def rewrite(name: str, **changes: object) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).write_text(json.dumps(read(run / name) | changes))

    return spoil


def without(name: str, key: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).write_text(json.dumps({k: value for k, value in read(run / name).items() if k != key}))

    return spoil


def delete(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


UNPUBLISHABLE: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "another model than was measured": (spoil_model, ValueError, "decision.json must be of"),
    "other weights than were converted": (spoil_weights, ValueError, "evaluation-held_out.json must be of"),
    "test figures of another model": (
        rewrite("evaluation-test.json", sha256={"model.onnx": "0" * 64}), ValueError, "evaluation-test.json must be of",
    ),
    "figures that do not say of what": (rewrite("evaluation-test.json", sha256={}), ValueError, "unknown"),
    "converted without the gate": (without("decision.json", "ood_limits"), ValueError, "with its input gate"),
    "no test figures": (delete("evaluation-test.json"), FileNotFoundError, "evaluation-test"),
    "no facts of the data": (delete("training_data.json"), FileNotFoundError, "training_data"),
    "no picture": (delete("evaluation-test.png"), FileNotFoundError, "evaluation-test.png"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNPUBLISHABLE)
def test_nothing_is_written_for_a_run_that_may_not_be_published(run: Path, release: Release, case: str) -> None:
    spoil, error, message = UNPUBLISHABLE[case]
    spoil(run)
    with pytest.raises(error, match=message):
        publish(run, release)
    assert not release.repository.exists()


def test_converting_again_makes_earlier_test_figures_unpublishable(
    data: Path, tiny_fold_run: Path, run: Path, release: Release
) -> None:
    """The same run with another calibration is another model."""
    other = Path(shutil.copytree(tiny_fold_run, run.parent / "other"))
    rows = (other / "held_out.csv").read_text().splitlines()
    (other / "held_out.csv").write_text("\n".join([*rows[:7], *rows[9:]]) + "\n")
    convert_run(run, Sources(data, [other]))
    with pytest.raises(ValueError, match=r"evaluation-test\.json"):
        publish(run, release)


def test_a_publication_that_failed_can_be_tried_again(
    tiny_run: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration comes last, so a version that is not all there is not known."""
    replace = os.replace

    def disk_full(source: Path, target: Path) -> None:
        if target.name == "config.pbtxt":
            raise OSError("disk full")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", disk_full)
        with pytest.raises(OSError, match="disk full"):
            publish(tiny_run, release)
    assert not (release.folder / "config.pbtxt").exists()
    publish(tiny_run, release)
    assert check_repository(release.repository) == []
    assert sorted(path.name for path in release.folder.iterdir()) == [
        "1", "MODEL_CARD.md", "config.pbtxt", "evaluation-test.png", "labels.txt",
    ]  # fmt: skip


async def test_versions_are_published_once_and_earlier_ones_stay(tiny_run: Path, release: Release) -> None:
    publish(tiny_run, release)
    with pytest.raises(FileExistsError, match="version=1"):
        publish(tiny_run, release)
    publish(tiny_run, Release(release.repository, "classifier", 2))
    assert check_repository(release.repository) == []
    assert (release.folder / "1" / "model.onnx").is_file()
