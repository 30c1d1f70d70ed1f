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

from export.data.mask_augmentation import MaskAugmentation
from export.evaluation.calibration import StyleBalance
from export.evaluation.evidence import Sources, gather_evidence
from export.evaluation.held_out import HeldOut, calibrate, cross_fitted_figures, prevalence_of, require_same_plan
from export.training.plan import TrainingPlan, claim_run_folder, read_plan
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
    calibration, thresholds = calibrate(dataclasses.replace(held_out, deciding=deciding.astype(float)))
    calibration_of_all, thresholds_of_all = calibrate(held_out)
    assert calibration == calibration_of_all
    probabilities = 1 / (1 + np.exp(-calibration.apply(held_out.log_odds)))
    expected = threshold_by_search(probabilities[deciding], held_out.targets[deciding])
    assert thresholds.decision_threshold == pytest.approx(expected, abs=2e-4)
    assert thresholds.decision_threshold != thresholds_of_all.decision_threshold


def test_a_weighted_calibration_may_go_with_an_unweighted_threshold() -> None:
    """The recipe of `--balance-styles calibration --threshold-on`, with scikit-learn, a search, and cross-fitted."""
    one = noisy_scores()
    weights = np.where(one.log_odds < 4, 4.0, 1.0)
    deciding = (np.arange(len(one.targets)) % 3 > 0).astype(float)
    held_out = dataclasses.replace(one, weights=weights, deciding=deciding)
    z, targets, chosen = one.log_odds, one.targets, deciding > 0

    def by_hand(part: NDArray[np.int64], of: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
        platt = LogisticRegression(C=1e6).fit(z[part, None], targets[part], sample_weight=weights[part])
        own = part[chosen[part]]
        threshold = threshold_by_search(platt.predict_proba(z[own, None])[:, 1], targets[own])
        return platt.predict_proba(z[of, None])[:, 1], threshold

    every = np.arange(len(z))
    calibration, thresholds = calibrate(held_out)
    probabilities, threshold = by_hand(every, every)
    np.testing.assert_allclose(1 / (1 + np.exp(-calibration.apply(z))), probabilities, atol=1e-4)
    assert thresholds.decision_threshold == pytest.approx(threshold, abs=3e-4)
    weighted_too = calibrate(dataclasses.replace(held_out, deciding=deciding * weights))[1]
    assert weighted_too.decision_threshold != pytest.approx(threshold, abs=3e-3)

    numbers = [patient.split("_")[0] for patient in one.patients]
    calls, brier = np.zeros(len(z), dtype=bool), np.zeros(len(z))
    for others, group in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(targets, targets, numbers):
        probabilities, threshold = by_hand(others, group)
        calls[group], brier[group] = probabilities >= threshold, (probabilities - targets[group]) ** 2
    figures = cross_fitted_figures(held_out)
    assert figures["brier"] == pytest.approx(brier.mean(), abs=1e-4)
    assert figures["sensitivity"] == pytest.approx(calls[targets == 1].mean(), abs=0.011)
    assert figures["specificity"] == pytest.approx((~calls)[targets == 0].mean(), abs=0.011)
    balanced = float(weights[~calls & (targets == 0)].sum() / weights[targets == 0].sum())
    assert figures["style_balanced_specificity"] == pytest.approx(balanced, abs=0.02)


def test_the_sources_say_what_the_style_weights_are_for(data: Path, tiny_fold_run: Path) -> None:
    def evidence(balance: StyleBalance) -> HeldOut:
        sources = Sources(data, [tiny_fold_run], balance_styles=balance, threshold_population="children")
        return gather_evidence(sources, lambda _: lambda images: images.mean(axis=(1, 2, 3))).held_out

    plain, calibration, both = evidence("none"), evidence("calibration"), evidence("all")
    n = len(plain.targets)
    assert plain.weights is None
    assert calibration.weights is not None and both.weights is not None
    assert np.ptp(calibration.weights) > 0
    np.testing.assert_array_equal(calibration.weights, both.weights)
    for held_out, expected in ((plain, np.ones(n)), (calibration, np.ones(n)), (both, both.weights)):
        np.testing.assert_array_equal(held_out.deciding, expected)
    nobody = Sources(data, [tiny_fold_run], threshold_population="adults")
    deciding = gather_evidence(nobody, lambda _: lambda images: images.mean(axis=(1, 2, 3))).held_out.deciding
    np.testing.assert_array_equal(deciding, np.zeros(n))


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


def run_of(folder: Path, plan: TrainingPlan, start: Path | None = None) -> Path:
    """Write the plan of a run, and that of the run it started from, as a training does."""
    claim_run_folder(plan, folder)
    facts = {} if start is None else {"started_from": {**read_json(start, "plan"), **read_json(start, "training_data")}}
    (folder / "training_data.json").write_text(json.dumps(facts))
    return folder


def read_json(run: Path, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((run / f"{name}.json").read_text())
    return content


def test_plans_may_differ_in_the_fold_and_in_where_the_starting_weights_lay(tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY_PLAN, init="/here/x.keras")
    held_out_plan = dataclasses.replace(plan, fold=2, init="/there/x.keras")
    require_same_plan(run_of(tmp_path / "full", plan), run_of(tmp_path / "fold", held_out_plan))


@pytest.mark.parametrize(
    "held_out_plan",
    [
        dataclasses.replace(TINY_PLAN, fold=0, epochs=9),
        dataclasses.replace(TINY_PLAN, fold=0, init="y.keras"),
        dataclasses.replace(TINY_PLAN, fold=0, seed=1),
        dataclasses.replace(TINY_PLAN, fold=0, patience=3),
        dataclasses.replace(TINY_PLAN, fold=0, masking=MaskAugmentation("keep", 0.1)),
    ],
)
def test_plans_that_differ_otherwise_are_refused(tmp_path: Path, held_out_plan: TrainingPlan) -> None:
    with pytest.raises(ValueError, match="equal but for the fold"):
        require_same_plan(run_of(tmp_path / "full", TINY_PLAN), run_of(tmp_path / "fold", held_out_plan))


def second_stage(folder: Path, fold: int, first_epochs: int = 3, activation: str = "") -> Path:
    """A run that goes on from another one of its fold, each in a folder named by the fold."""
    first = dataclasses.replace(TINY_PLAN, fold=fold, epochs=first_epochs)
    start = run_of(folder / f"first-{fold}", first)
    masking = MaskAugmentation("weak", 0.1, activation or str(start))
    plan = dataclasses.replace(TINY_PLAN, fold=fold, init=str(start), image_size=64, masking=masking)
    return run_of(folder / f"second-{fold}", plan, start)


def test_fold_runs_may_start_from_runs_of_other_names_that_were_trained_the_same_way(tmp_path: Path) -> None:
    first, second = second_stage(tmp_path, 0), second_stage(tmp_path, 1)
    assert read_plan(first).init != read_plan(second).init
    require_same_plan(first, second)
    third, fourth = (
        run_of(tmp_path / f"third-{run.name}", dataclasses.replace(read_plan(run), init=str(run)), run)
        for run in (first, second)
    )
    with pytest.raises(ValueError, match=r"first-0.*first-1"):  # no longer the runs that these started from
        require_same_plan(third, fourth)


def test_fold_runs_that_started_otherwise_are_refused(tmp_path: Path) -> None:
    ours = second_stage(tmp_path, 0)
    with pytest.raises(ValueError, match=r"'epochs': 3.*'epochs': 4"):
        require_same_plan(ours, second_stage(tmp_path, 1, first_epochs=4))
    with pytest.raises(ValueError, match="equal but for the fold"):
        require_same_plan(ours, second_stage(tmp_path, 2, activation="another"))
    from_a_file = dataclasses.replace(read_plan(ours), fold=3)
    with pytest.raises(ValueError, match="equal but for the fold"):
        require_same_plan(ours, run_of(tmp_path / "from-a-file", from_a_file))


def test_a_fold_that_chose_the_epoch_does_not_judge_it(tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY_PLAN, patience=3)
    with pytest.raises(ValueError, match="patience=0"):
        require_same_plan(run_of(tmp_path / "full", plan), run_of(tmp_path / "fold", dataclasses.replace(plan, fold=0)))
