"""Figures on held-out patients: honest, and of what the run has really not seen."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from export.evaluation.held_out import HeldOut, calibrate, cross_fitted_figures, prevalence_of, require_same_plan
from export.training.plan import TrainingPlan
from export.training.records import count_shared_person_numbers, read_held_out
from tests.unit.export.conftest import TINY_PLAN


def noisy_scores() -> HeldOut:
    """120 person numbers, every second one as two patients; overlapping classes."""
    generator = np.random.default_rng(4)
    patients = [
        f"person{n}_{subtype}" for n in range(120) for subtype in (["virus", "bacteria"] if n % 2 else ["virus"])
    ]
    targets = generator.integers(0, 2, len(patients))
    return HeldOut(generator.normal(3.0 * targets + 2, 1.5), targets, patients)


def threshold_by_search(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    grid = np.arange(0.01, 0.99, 1e-4)
    return float(max(t for t in grid if (probabilities[targets == 1] >= t).mean() >= 0.97))


def test_cross_fitted_figures_judge_each_group_with_what_the_others_gave() -> None:
    """Recomputed with scikit-learn and a search for the threshold."""
    held_out = noisy_scores()
    z, targets = held_out.log_odds, held_out.targets
    numbers = [patient.split("_")[0] for patient in held_out.patients]
    probabilities, calls = np.zeros(len(z)), np.zeros(len(z), dtype=bool)
    for others, group in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(targets, targets, numbers):
        platt = LogisticRegression(C=1e6).fit(z[others, None], targets[others])
        probabilities[group] = platt.predict_proba(z[group, None])[:, 1]
        threshold = threshold_by_search(platt.predict_proba(z[others, None])[:, 1], targets[others])
        calls[group] = probabilities[group] >= threshold
    figures = cross_fitted_figures(held_out)
    assert figures["auc"] == pytest.approx(roc_auc_score(targets, z), abs=1e-4)
    assert figures["brier"] == pytest.approx(np.mean((probabilities - targets) ** 2), abs=1e-4)
    assert figures["sensitivity"] == pytest.approx(calls[targets == 1].mean(), abs=0.011)
    assert figures["specificity"] == pytest.approx((~calls)[targets == 0].mean(), abs=0.011)
    assert figures["patients"] == 180


def test_cross_fitted_figures_do_not_flatter() -> None:
    """Fitted to all images, the Brier score is lower: those images helped to choose the calibration."""
    held_out = noisy_scores()
    calibration, _ = calibrate(held_out)
    fitted = 1 / (1 + np.exp(-calibration.apply(held_out.log_odds)))
    in_sample = float(np.mean((fitted - held_out.targets) ** 2))
    assert float(cross_fitted_figures(held_out)["brier"]) > in_sample


def test_several_networks_judge_with_the_calibration_of_the_others_and_rank_on_one_scale() -> None:
    """As what is shipped will: its calibration comes from other networks. Recomputed with scikit-learn."""
    one = noisy_scores()
    networks = np.arange(len(one.targets)) % 3
    z = one.log_odds * np.array([1.0, 2.0, 0.5])[networks] + np.array([0.0, 3.0, -1.0])[networks]
    figures = cross_fitted_figures(dataclasses.replace(one, log_odds=z, networks=networks))
    probabilities, ranks = np.zeros(len(z)), np.zeros(len(z))
    for network in range(3):
        own = networks == network
        others = LogisticRegression(C=1e6).fit(z[~own, None], one.targets[~own])
        probabilities[own] = others.predict_proba(z[own, None])[:, 1]
        ranks[own] = LogisticRegression(C=1e6).fit(z[own, None], one.targets[own]).decision_function(z[own, None])
    assert figures["cross_fitted_groups"] == 3
    assert figures["brier"] == pytest.approx(np.mean((probabilities - one.targets) ** 2), abs=1e-4)
    assert figures["auc"] == pytest.approx(roc_auc_score(one.targets, ranks), abs=1e-4)
    assert figures["auc"] > roc_auc_score(one.targets, z) + 0.01, "raw scores of several networks do not compare"


def test_weights_reach_the_calibration_and_the_prevalence() -> None:
    """Weighing every NORMAL four times moves the calibrated log-odds down by about log 4."""
    held_out = noisy_scores()
    weighted = dataclasses.replace(held_out, weights=np.where(held_out.targets == 1, 1.0, 4.0))
    calibrations = [calibrate(each)[0] for each in (held_out, weighted)]
    middle = np.array([3.5])  # where the classes meet
    plain, shifted = (float(calibration.apply(middle)[0]) for calibration in calibrations)
    assert plain - shifted == pytest.approx(np.log(4), abs=0.15)
    positives = held_out.targets.sum()
    negatives = len(held_out.targets) - positives
    assert prevalence_of(held_out) == pytest.approx(positives / (positives + negatives))
    assert prevalence_of(weighted) == pytest.approx(positives / (positives + 4 * negatives))
    assert "style_balanced_auc" in cross_fitted_figures(weighted)
    assert "style_balanced_auc" not in cross_fitted_figures(held_out)


def test_the_threshold_may_be_chosen_on_a_part_while_all_calibrate() -> None:
    held_out = noisy_scores()
    deciding = np.arange(len(held_out.targets)) % 2 == 0
    calibration, thresholds = calibrate(dataclasses.replace(held_out, deciding=deciding))
    calibration_of_all, thresholds_of_all = calibrate(held_out)
    assert calibration == calibration_of_all
    probabilities = 1 / (1 + np.exp(-calibration.apply(held_out.log_odds)))
    expected = threshold_by_search(probabilities[deciding], held_out.targets[deciding])
    assert thresholds.decision_threshold == pytest.approx(expected, abs=2e-4)
    assert thresholds.decision_threshold != thresholds_of_all.decision_threshold


def write_run(folder: Path, *rows: str) -> None:
    (folder / "plan.json").write_text(json.dumps(dataclasses.asdict(TINY_PLAN)))
    (folder / "held_out.csv").write_text("\n".join(["filename,target,log_odds", *rows, ""]))


def test_a_run_itself_says_what_it_has_not_seen(data: Path, tiny_fold_run: Path, tmp_path: Path) -> None:
    """Not the present way of making folds, which may differ from the one that the run was trained with."""
    write_run(tmp_path, "person3_virus_1.jpeg,1,2", "IM-0007-0001.jpeg,0,-1")
    named = [(example.path.name, example.target) for example in read_held_out(tmp_path, data)]
    assert named == [("person3_virus_1.jpeg", 1), ("IM-0007-0001.jpeg", 0)]
    with (tiny_fold_run / "held_out.csv").open(newline="") as file:
        names = [row["filename"] for row in csv.DictReader(file)]
    assert [example.path.name for example in read_held_out(tiny_fold_run, data)] == names
    assert len(names) == 16


def test_a_held_out_image_that_the_data_lacks_or_labels_otherwise_is_refused(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path, "person3_virus_1.jpeg,0,2")
    with pytest.raises(ValueError, match="person3_virus_1"):
        read_held_out(tmp_path, data)


def test_a_run_that_held_nothing_out_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fold held out"):
        read_held_out(tmp_path, data)


def test_images_of_a_person_number_that_was_trained_on_are_counted(data: Path, tmp_path: Path) -> None:
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    folder = changed / "train" / "PNEUMONIA"
    shutil.copyfile(folder / "person3_virus_1.jpeg", folder / "person3_bacteria_9.jpeg")
    write_run(tmp_path, "person3_virus_1.jpeg,1,2", "IM-0007-0001.jpeg,0,-1")
    assert count_shared_person_numbers(tmp_path, data) == 0
    assert count_shared_person_numbers(tmp_path, changed) == 1


def runs(folder: Path, plan: TrainingPlan, held_out_plan: TrainingPlan) -> tuple[Path, Path]:
    for name, content in (("full", plan), ("fold", held_out_plan)):
        (folder / name).mkdir()
        (folder / name / "plan.json").write_text(json.dumps(dataclasses.asdict(content)))
    return folder / "full", folder / "fold"


def test_plans_may_differ_in_the_fold_and_in_where_the_starting_weights_lay(tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY_PLAN, init="/here/x.keras")
    require_same_plan(*runs(tmp_path, plan, dataclasses.replace(plan, fold=2, init="/there/x.keras")))


@pytest.mark.parametrize("change", [{"epochs": 9}, {"init": "y.keras"}, {"seed": 1}, {"patience": 3}])
def test_plans_that_differ_otherwise_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    held_out_plan = dataclasses.replace(TINY_PLAN, fold=0, **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="equal but for the fold"):
        require_same_plan(*runs(tmp_path, TINY_PLAN, held_out_plan))


def test_a_fold_that_chose_the_epoch_does_not_judge_it(tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY_PLAN, patience=3)
    with pytest.raises(ValueError, match="patience=0"):
        require_same_plan(*runs(tmp_path, plan, dataclasses.replace(plan, fold=0)))
