"""The steps after training, each reading and writing a run folder: convert, evaluate."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from export.data.examples import Example, load_images, read_split, targets_of
from export.evaluation.calibration import POLICY, PlattScaling, sigmoid
from export.evaluation.held_out import (
    calibrate,
    cross_fitted_figures,
    origin_of,
    require_same_plan,
    score_held_out,
    uncalibrated_figures,
)
from export.evaluation.look_log import logged_look
from export.evaluation.metrics import Figures, Judgements, evaluate_judgements
from export.evaluation.plots import plot_evaluation
from export.evaluation.scoring import UNCALIBRATED_THRESHOLD, measured_file, score_run, score_with_keras
from export.release.conversion import (
    convert_classifier,
    convert_pixel_importance,
    largest_probability_difference,
    round_kernels_to_float16,
)
from export.release.folding import fold_batch_normalization
from export.release.provenance import hashes, require_current
from export.training.records import count_shared_person_numbers
from export.training.train import load_trained, read_plan

PARITY_LIMIT = 1e-4
_PARITY_IMAGES = 15
_SHARED = "images_of_person_numbers_trained_on"


def convert_run(run: Path, data: Path, held_out_run: Path) -> None:
    """Write `model.onnx` and its figures on held-out patients; for a classifier also `decision.json`.

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
        The held-out run has another plan or may have seen what it is to judge, or the converted model differs from
        Keras.
    """
    require_same_plan(run, held_out_run)
    convert = _convert_gradient_model if read_plan(run).architecture == "gradient" else _convert_classifier
    figures = {**convert(run, data, held_out_run), _SHARED: count_shared_person_numbers(held_out_run, data)}
    measured = {**hashes(run, "model.onnx", "model.weights.h5"), **origin_of(held_out_run)}
    _write_json(run / "evaluation-held_out.json", {**figures, **measured})


def evaluate_run(run: Path, data: Path, split: Literal["val", "test"], test_log: Path) -> Figures:
    """Measure a run on an official split; write `evaluation-<split>.json` and a picture.

    A look at `test` is logged with the model's hash before it happens.

    Raises
    ------
    FileNotFoundError
        The log cannot be opened, or the run to be measured on `test` is not converted.
    ValueError
        The decision rule in the run folder belongs to another model than the one beside it.
    """
    examples, threshold = read_split(data, split), _threshold_of(run)
    if split != "test":
        return _measure(run, examples, split, threshold)
    with logged_look(test_log, run, len(examples)) as look:
        figures = _measure(run, examples, split, threshold)
        look.update(figures)
    return figures


def _convert_gradient_model(run: Path, data: Path, held_out_run: Path) -> Figures:
    held_out = score_held_out(held_out_run, load_trained(held_out_run), data)
    onnx.save(convert_pixel_importance(load_trained(run)), run / "model.onnx")
    return uncalibrated_figures(held_out)


def _convert_classifier(run: Path, data: Path, held_out_run: Path) -> Figures:
    held_out = score_held_out(held_out_run, _prepare_for_inference(held_out_run), data)
    calibration, thresholds = calibrate(held_out)
    network = _prepare_for_inference(run)
    model = convert_classifier(network, calibration)
    images = load_images(read_split(data, "val"), read_plan(run).image_size)[:_PARITY_IMAGES]
    parity = _check_parity(model, network, calibration, images)
    onnx.save(model, run / "model.onnx")
    decision = {**asdict(calibration), **asdict(thresholds), "policy": POLICY, "parity": parity}
    _write_json(run / "decision.json", {**decision, **hashes(run, "model.onnx")})
    return cross_fitted_figures(held_out)


def _prepare_for_inference(run: Path) -> keras.Model:
    network = load_trained(run)
    fold_batch_normalization(network)
    round_kernels_to_float16(network)
    return network


def _check_parity(
    model: onnx.ModelProto, network: keras.Model, calibration: PlattScaling, images: NDArray[np.uint8]
) -> float:
    """Compare with Keras, one by one and in batches of 5."""
    expected = sigmoid(calibration.apply(score_with_keras(network, images)))
    difference = max(
        largest_probability_difference(model, images[i : i + n], expected[i : i + n])
        for n in (1, 5)
        for i in range(0, len(images), n)
    )
    if difference > PARITY_LIMIT:
        raise ValueError(f"The converted model must agree with Keras within {PARITY_LIMIT}. Received: {difference}")
    return difference


def _measure(run: Path, examples: list[Example], split: str, threshold: float) -> Figures:
    probabilities = score_run(run, load_images(examples, read_plan(run).image_size))
    targets = targets_of(examples)[:, 0].astype(np.int64)
    judgements = Judgements.at_threshold(probabilities, threshold)
    patients = [example.patient for example in examples]
    figures = {"decision_threshold": threshold, **evaluate_judgements(judgements, targets, patients)}
    plot_evaluation(judgements, targets, figures, run / f"evaluation-{split}.png")
    _write_json(run / f"evaluation-{split}.json", {**figures, **hashes(run, measured_file(run))})
    return figures


def _threshold_of(run: Path) -> float:
    if not (run / "decision.json").is_file():
        return UNCALIBRATED_THRESHOLD
    decision = json.loads((run / "decision.json").read_text())
    require_current(run, decision, "decision.json")
    return float(decision["decision_threshold"])


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
