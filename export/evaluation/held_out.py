"""Calibration, thresholds and honest figures from the patients that a run has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from export.data.examples import fold_group, load_images, targets_of
from export.evaluation.calibration import DecisionThresholds, PlattScaling, choose_thresholds, fit_platt, sigmoid
from export.evaluation.metrics import Figures, Judgements, evaluate_judgements
from export.evaluation.scoring import UNCALIBRATED_THRESHOLD, score_with_keras
from export.release.provenance import sha256_of
from export.training.records import read_held_out
from export.training.train import read_plan

_GROUPS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Log-odds of images that a network has not seen, their targets, shape ``[n]`` each, and their patients."""

    log_odds: NDArray[np.float64]
    targets: NDArray[np.int64]
    patients: Sequence[str]


def require_same_plan(run: Path, held_out_run: Path) -> None:
    """Refuse a held-out run that says nothing about `run`.

    Raises
    ------
    ValueError
        The plans differ in more than the fold, or the fold has chosen the epoch of the network it is to judge.
    """
    plan, held_out_plan = (read_plan(folder) for folder in (run, held_out_run))
    if replace(held_out_plan, fold=plan.fold) != plan:
        raise ValueError(f"The plans must be equal but for the fold. Received: {plan} and {held_out_plan}")
    if plan.patience != 0:
        raise ValueError(f"Both runs must be trained with patience=0. Received: patience={plan.patience}")


def score_held_out(held_out_run: Path, network: keras.Model, data: Path) -> HeldOut:
    """Let the network of a run judge what the run has held out."""
    examples = read_held_out(held_out_run, data)
    images = load_images(examples, read_plan(held_out_run).image_size)
    targets = targets_of(examples)[:, 0].astype(np.int64)
    return HeldOut(score_with_keras(network, images), targets, [example.patient for example in examples])


def calibrate(held_out: HeldOut) -> tuple[PlattScaling, DecisionThresholds]:
    """Fit what is shipped, on all images."""
    calibration = fit_platt(held_out.log_odds, held_out.targets)
    return calibration, choose_thresholds(sigmoid(calibration.apply(held_out.log_odds)), held_out.targets)


def cross_fitted_figures(held_out: HeldOut) -> Figures:
    """Measure the recipe of `calibrate`, each group of patients with what the other groups gave.

    Figures of a calibration and a threshold on the images they were fitted to would flatter. The AUC is that of the
    log-odds as the network gives them.
    """
    figures = evaluate_judgements(_cross_fit(held_out), held_out.targets, held_out.patients)
    return {"cross_fitted_groups": _GROUPS, **figures}


def uncalibrated_figures(held_out: HeldOut) -> Figures:
    """Measure a network whose log-odds are taken as they are; nothing is fitted."""
    judgements = Judgements.at_threshold(sigmoid(held_out.log_odds), UNCALIBRATED_THRESHOLD)
    figures = evaluate_judgements(judgements, held_out.targets, held_out.patients)
    return {"decision_threshold": UNCALIBRATED_THRESHOLD, **figures}


def origin_of(held_out_run: Path) -> dict[str, Any]:
    """Say which weights held-out figures were measured on."""
    weights = sha256_of(held_out_run / "model.weights.h5")
    return {"held_out_run": {"fold": read_plan(held_out_run).fold, "weights_sha256": weights}}


def _cross_fit(held_out: HeldOut) -> Judgements:
    probabilities, calls = np.empty_like(held_out.log_odds), np.empty_like(held_out.targets)
    splitter = StratifiedGroupKFold(_GROUPS, shuffle=True, random_state=0)
    groups = [fold_group(patient) for patient in held_out.patients]
    for others, group in splitter.split(held_out.targets, held_out.targets, groups):
        calibration, thresholds = calibrate(_part(held_out, others))
        probabilities[group] = sigmoid(calibration.apply(held_out.log_odds[group]))
        calls[group] = probabilities[group] >= thresholds.decision_threshold
    return Judgements(held_out.log_odds, probabilities, calls)


def _part(held_out: HeldOut, images: NDArray[np.int64]) -> HeldOut:
    return HeldOut(held_out.log_odds[images], held_out.targets[images], [held_out.patients[i] for i in images])
