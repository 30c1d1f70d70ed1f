"""The steps after training, each reading and writing a run folder: convert, evaluate."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from export.calibration import POLICY, DecisionThresholds, PlattScaling, choose_thresholds, fit_platt
from export.conversion import (
    convert_classifier,
    convert_pixel_importance,
    largest_probability_difference,
    round_kernels_to_float16,
)
from export.data import Example, load_images, read_split, split_fold
from export.folding import fold_batch_normalization
from export.metrics import Figures, evaluate_probabilities
from export.plots import plot_evaluation
from export.publication import sha256_of
from export.scoring import score_run, score_with_keras
from export.training import load_trained, read_plan

PARITY_LIMIT = 1e-4
_UNCALIBRATED_THRESHOLD = 0.5


def convert_run(run: Path, data: Path, held_out_run: Path | None) -> None:
    """Write `model.onnx`; for a classifier also `decision.json` and its figures on held-out patients.

    Parameters
    ----------
    run
        The training to convert.
    data
        The data set; parity is checked on its radiographs.
    held_out_run
        A training with the same plan but one fold held out. Its predictions of that fold give the calibration
        and the thresholds. The gradient model is measured on them alone: only its pixel weights are served.

    Raises
    ------
    ValueError
        A classifier comes without a held-out run, or the converted model differs from Keras.
    """
    if read_plan(run).architecture == "gradient":
        onnx.save(convert_pixel_importance(load_trained(run)), run / "model.onnx")
        if held_out_run is not None:
            _write_json(run / "evaluation-held_out.json", _judge_held_out(held_out_run, data))
        return
    if held_out_run is None:
        raise ValueError("A classifier must be calibrated: name a run with a fold held out.")
    calibration, thresholds, figures = _calibrate(held_out_run, data)
    network = _prepare_for_inference(run)
    onnx.save(convert_classifier(network, calibration), run / "model.onnx")
    parity = _check_parity(run, network, calibration, data)
    decision = {**asdict(calibration), **asdict(thresholds), "policy": POLICY, "parity": parity}
    _write_json(run / "decision.json", decision)
    _write_json(run / "evaluation-held_out.json", figures)


def evaluate_run(run: Path, data: Path, split: Literal["val", "test"], test_log: Path | None) -> Figures:
    """Measure a run on an official split; write `evaluation-<split>.json` and a picture.

    A look at `test` is logged with the model's hash: the split is for one final figure per release.
    """
    examples = read_split(data, split)
    images = load_images(examples, read_plan(run).image_size)
    probabilities = score_run(run, images)
    figures = _figures(examples, probabilities, _threshold_of(run))
    _write_json(run / f"evaluation-{split}.json", figures)
    plot_evaluation(probabilities, _targets(examples), figures, run / f"evaluation-{split}.png")
    if split == "test" and test_log is not None:
        _log_look_at_test(test_log, run, figures)
    return figures


def _calibrate(held_out_run: Path, data: Path) -> tuple[PlattScaling, DecisionThresholds, Figures]:
    held_out, images = _held_out(held_out_run, data)
    log_odds = score_with_keras(_prepare_for_inference(held_out_run), images)
    calibration = fit_platt(log_odds, _targets(held_out))
    probabilities = _sigmoid(calibration.apply(log_odds))
    thresholds = choose_thresholds(probabilities, _targets(held_out))
    return calibration, thresholds, _figures(held_out, probabilities, thresholds.decision_threshold)


def _judge_held_out(held_out_run: Path, data: Path) -> Figures:
    held_out, images = _held_out(held_out_run, data)
    log_odds = score_with_keras(load_trained(held_out_run), images)
    return _figures(held_out, _sigmoid(log_odds), _UNCALIBRATED_THRESHOLD)


def _held_out(held_out_run: Path, data: Path) -> tuple[list[Example], NDArray[np.uint8]]:
    plan = read_plan(held_out_run)
    if plan.fold is None:
        raise ValueError(f"The run must have a fold held out. Received: held_out_run={held_out_run.name}")
    _, held_out = split_fold(read_split(data, "train"), plan.fold)
    return held_out, load_images(held_out, plan.image_size)


def _sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _prepare_for_inference(run: Path) -> keras.Model:
    network = load_trained(run)
    fold_batch_normalization(network)
    round_kernels_to_float16(network)
    return network


def _check_parity(run: Path, network: keras.Model, calibration: PlattScaling, data: Path) -> float:
    """Compare with Keras on the official validation radiographs, one by one and in batches of 5."""
    images = load_images(read_split(data, "val"), read_plan(run).image_size)[:15]
    expected = _sigmoid(calibration.apply(score_with_keras(network, images)))
    difference = max(
        largest_probability_difference(run / "model.onnx", images[i : i + n], expected[i : i + n])
        for n in (1, 5)
        for i in range(0, 15, n)
    )
    if difference > PARITY_LIMIT:
        raise ValueError(f"The converted model must agree with Keras within {PARITY_LIMIT}. Received: {difference}")
    return difference


def _figures(examples: list[Example], probabilities: NDArray[np.float64], threshold: float) -> Figures:
    patients = [example.patient for example in examples]
    return evaluate_probabilities(probabilities, _targets(examples), patients, threshold)


def _targets(examples: list[Example]) -> NDArray[np.int64]:
    return np.array([example.target for example in examples])


def _threshold_of(run: Path) -> float:
    decision = run / "decision.json"
    return (
        float(json.loads(decision.read_text())["decision_threshold"])
        if decision.is_file()
        else (_UNCALIBRATED_THRESHOLD)
    )


def _log_look_at_test(log: Path, run: Path, figures: Figures) -> None:
    architecture = read_plan(run).architecture
    with log.open("a") as file:
        file.write(
            f"| {datetime.now(UTC):%Y-%m-%d} | {architecture} | `{sha256_of(run / 'model.onnx')[:16]}` "
            f"| {figures['images']} | {figures['auc']} | {figures['accuracy']} |\n"
        )


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
