"""Calibration, thresholds and honest figures from the patients that a run has not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from export.data.examples import fold_group
from export.evaluation.calibration import (
    DEFAULT_POLICY,
    DecisionPolicy,
    DecisionThresholds,
    PlattScaling,
    choose_thresholds,
    fit_platt,
    sigmoid,
)
from export.evaluation.metrics import Figures, Judgements, balanced_figures, evaluate_judgements
from export.evaluation.scoring import UNCALIBRATED_THRESHOLD
from export.release.provenance import sha256_of
from export.training.plan import read_plan
from export.training.recipe import read_recipe

_GROUPS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Log-odds of images that a network has not seen, their targets, shape ``[n]`` each, and their patients.

    `networks` names the network that judged each image, where folds were judged by several; `weights` says how much
    each image counts in the calibration, `deciding` how much in the choice of the threshold, 0 for not at all. Shape
    ``[n]`` each, or None: one network, one weight for all, and a threshold weighted as the calibration.
    """

    log_odds: NDArray[np.float64]
    targets: NDArray[np.int64]
    patients: Sequence[str]
    networks: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    deciding: NDArray[np.float64] | None = None

    def part(self, images: NDArray[np.int64]) -> "HeldOut":
        """Take some of the images."""
        return HeldOut(
            self.log_odds[images],
            self.targets[images],
            [self.patients[i] for i in images],
            None if self.networks is None else self.networks[images],
            None if self.weights is None else self.weights[images],
            None if self.deciding is None else self.deciding[images],
        )


def require_same_plan(run: Path, held_out_run: Path) -> None:
    """Refuse a held-out run that says nothing about `run`. A run with a fold held out says something about itself.

    Raises
    ------
    ValueError
        The plans, or those of the runs that they started from, differ in more than the fold and the names of run
        folders, or the fold has chosen the epoch of the network it is to judge.
    """
    recipe, held_out_recipe = (read_recipe(folder) for folder in (run, held_out_run))
    if differing := sorted(key for key in recipe if recipe[key] != held_out_recipe[key]):
        received = " and ".join(str({key: each[key] for key in differing}) for each in (recipe, held_out_recipe))
        raise ValueError(f"The plans must be equal but for the fold. Received: {received}")
    if recipe["patience"] != 0:
        raise ValueError(f"Both runs must be trained with patience=0. Received: patience={recipe['patience']}")


def calibrate(held_out: HeldOut, policy: DecisionPolicy = DEFAULT_POLICY) -> tuple[PlattScaling, DecisionThresholds]:
    """Fit what is shipped: the calibration on all images, the thresholds on those that decide, each by its weights.

    The log-odds of several networks are pooled as they are: the shipped network's own scale is one more draw of the
    same kind, so the calibration has to allow for their spread.
    """
    calibration = fit_platt(held_out.log_odds, held_out.targets, held_out.weights)
    probabilities = sigmoid(calibration.apply(held_out.log_odds))
    deciding = held_out.weights if held_out.deciding is None else held_out.deciding
    return calibration, choose_thresholds(probabilities, held_out.targets, policy, deciding)


def prevalence_of(held_out: HeldOut) -> float:
    """Give the share of PNEUMONIA that the calibrated probabilities presuppose, weighted as the calibration was."""
    return float(np.average(held_out.targets, weights=held_out.weights))


def cross_fit(held_out: HeldOut, policy: DecisionPolicy = DEFAULT_POLICY) -> Judgements:
    """Judge each group of patients with the calibration and the threshold that the other groups gave.

    Figures of a calibration and a threshold on the images they were fitted to would flatter. A group is a fifth of the
    patients; where several networks judged, it is all that one network judged, so that the figures hold for a
    calibration that is carried over to another network, as to the shipped one.

    Returns
    -------
    Judgements whose `scores` are the log-odds as a network gives them; those of several networks are brought to one
    scale first, by a Platt scaling of each on its own images. It is rising, so no rank within a network changes.
    """
    probabilities, calls = np.empty_like(held_out.log_odds), np.empty_like(held_out.targets)
    for others, group in _groups(held_out):
        calibration, thresholds = calibrate(held_out.part(others), policy)
        probabilities[group] = sigmoid(calibration.apply(held_out.log_odds[group]))
        calls[group] = probabilities[group] >= thresholds.decision_threshold
    return Judgements(on_one_scale(held_out, held_out.log_odds), probabilities, calls)


def on_one_scale(held_out: HeldOut, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make log-odds of several networks comparable, shape ``[n]``, by the Platt scaling of each on its own images."""
    if held_out.networks is None:
        return log_odds
    scaled = np.empty_like(log_odds)
    for network in np.unique(held_out.networks):
        own = np.flatnonzero(held_out.networks == network)
        scaled[own] = fit_platt(held_out.log_odds[own], held_out.targets[own]).apply(log_odds[own])
    return scaled


def cross_fitted_figures(held_out: HeldOut, policy: DecisionPolicy = DEFAULT_POLICY) -> Figures:
    """Measure the recipe of `calibrate` by `cross_fit`; with weights also the figures that they change."""
    judgements = cross_fit(held_out, policy)
    figures = evaluate_judgements(judgements, held_out.targets, held_out.patients)
    balanced = {} if held_out.weights is None else balanced_figures(judgements, held_out.targets, held_out.weights)
    return {"cross_fitted_groups": sum(1 for _ in _groups(held_out)), **figures, **balanced}


def uncalibrated(held_out: HeldOut) -> Judgements:
    """Take the log-odds as they are; nothing is fitted."""
    return Judgements.at_threshold(sigmoid(held_out.log_odds), UNCALIBRATED_THRESHOLD)


def uncalibrated_figures(held_out: HeldOut) -> Figures:
    """Measure a network whose log-odds are taken as they are."""
    figures = evaluate_judgements(uncalibrated(held_out), held_out.targets, held_out.patients)
    return {"decision_threshold": UNCALIBRATED_THRESHOLD, **figures}


def origin_of(held_out_runs: Sequence[Path]) -> dict[str, Any]:
    """Say which weights held-out figures were measured on."""
    return {
        "held_out_runs": [
            {"fold": read_plan(run).fold, "weights_sha256": sha256_of(run / "model.weights.h5")}
            for run in held_out_runs
        ]
    }


def _groups(held_out: HeldOut) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the images of all other groups and those of each group."""
    if held_out.networks is not None:
        for network in np.unique(held_out.networks):
            own = held_out.networks == network
            yield np.flatnonzero(~own), np.flatnonzero(own)
        return
    splitter = StratifiedGroupKFold(_GROUPS, shuffle=True, random_state=0)
    groups = [fold_group(patient) for patient in held_out.patients]
    yield from splitter.split(held_out.targets, held_out.targets, groups)
