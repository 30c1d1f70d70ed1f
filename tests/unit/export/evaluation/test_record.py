"""Records of evaluations, as JSON, text and pictures, of runs small enough to train here."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from export.__main__ import main as export_main
from export.data.examples import read_split
from export.evaluation.calibration import DecisionPolicy
from export.evaluation.evidence import Sources, gather_evidence
from export.evaluation.metrics import Judgements, evaluate_judgements
from export.evaluation.plots import _read_history, _wilson, plot_evaluation
from export.evaluation.report import evaluation_report, markdown_table, with_interval
from export.evaluation.scoring import score_with_onnx
from export.steps import convert_run, evaluate_held_out, evaluate_run
from export.training.records import read_held_out
from export.training.train import train
from tests.unit.export.conftest import TINY_PLAN


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture
def fold_run(tiny_fold_run: Path, tmp_path: Path) -> Path:
    """A copy of the run with a fold held out, to be converted."""
    return Path(shutil.copytree(tiny_fold_run, tmp_path / "fold"))


def test_a_run_with_a_fold_held_out_is_calibrated_and_measured_on_itself(data: Path, fold_run: Path) -> None:
    """The file that is served gives, for its own held-out images, what the calibration was fitted to."""
    convert_run(fold_run, Sources(data, [fold_run]))
    decision, record = read(fold_run / "decision.json"), read(fold_run / "evaluation-held_out.json")
    assert decision["prevalence"] == 0.5
    assert decision["policy_rule"] == "sensitivity"
    assert decision["policy_rate"] == 0.97
    assert decision["held_out_runs"] == record["held_out_runs"]
    assert [origin["fold"] for origin in record["held_out_runs"]] == [0]
    examples = read_held_out(fold_run, data)
    images = np.stack([np.asarray(Image.open(example.path).convert("L").resize((32, 32), 2)) for example in examples])
    probabilities = score_with_onnx(fold_run / "model.onnx", images[..., np.newaxis])
    positives = probabilities[np.array([example.target for example in examples]) == 1]
    lowest = np.clip(positives.min(), 0.01, 0.99)
    assert decision["decision_threshold"] == pytest.approx(lowest, abs=2e-2)
    assert record["images"] == len(examples) == 16
    assert record["subgroups"]["subtype"]["virus"]["auc"] == record["auc"]
    assert record["shortcut"] is None
    assert set(record["prevalence"]) == {"0.05", "0.10", "0.20"}


def test_a_run_that_is_only_compared_is_converted_without_the_gate(
    data: Path, fold_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else is as with it: the answers, the decision, the figures."""
    convert_run(fold_run, Sources(data, [fold_run]))
    model, decision = onnx.load(fold_run / "model.onnx"), read(fold_run / "decision.json")
    held_out, images = read(fold_run / "evaluation-held_out.json"), np.arange(2 * 32 * 32).reshape(2, 32, 32, 1) % 251
    probabilities = score_with_onnx(fold_run / "model.onnx", images.astype(np.uint8))
    monkeypatch.setattr("sys.argv", ["export", "convert", "--run", str(fold_run), "--data", str(data), "--no-gate"])
    export_main()
    outputs, plain = {output.name for output in model.graph.output}, onnx.load(fold_run / "model.onnx")
    assert outputs - {output.name for output in plain.graph.output} == {"ood_score", "presentation"}
    np.testing.assert_allclose(score_with_onnx(fold_run / "model.onnx", images.astype(np.uint8)), probabilities)
    gate = {"presentations", "ood_limits", "ood_rule", "ood_out_of_fold"}
    measured = {"sha256", "parity"}
    kept = {key: value for key, value in read(fold_run / "decision.json").items() if key not in measured}
    assert kept == {key: value for key, value in decision.items() if key not in gate | measured}
    assert gate <= decision.keys()
    assert read(fold_run / "evaluation-held_out.json") | {"sha256": {}} == held_out | {"sha256": {}}


def test_one_run_for_each_fold_calibrates_a_full_run(
    data: Path, tiny_run: Path, tiny_fold_run: Path, tmp_path: Path
) -> None:
    """The calibration is fitted to the images of all folds, each judged by the network that has not seen it."""
    run, second = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "fold-1"
    train(dataclasses.replace(TINY_PLAN, fold=1), data, second)
    convert_run(run, Sources(data, [tiny_fold_run, second]), DecisionPolicy("youden", None))
    decision, record = read(run / "decision.json"), read(run / "evaluation-held_out.json")
    assert [origin["fold"] for origin in decision["held_out_runs"]] == [0, 1]
    assert "Youden" in decision["policy"]
    assert (record["images"], record["patients"], record["cross_fitted_groups"]) == (32, 32, 2)
    rows = [row.split(",") for fold in (tiny_fold_run, second) for row in (fold / "held_out.csv").read_text().split()]
    pairs = [(float(log_odds), int(target)) for _, target, log_odds in rows if target != "target"]
    log_odds, targets = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    expected = LogisticRegression(C=1e6).fit(log_odds[:, np.newaxis], targets)
    assert decision["slope"] == pytest.approx(expected.coef_[0, 0], rel=0.02)
    probabilities = 1 / (1 + np.exp(-(decision["slope"] * log_odds + decision["intercept"])))
    assert ((probabilities >= decision["decision_threshold"]) == targets).all(), "the classes do not overlap"


def test_held_out_patients_can_be_measured_before_conversion_and_after_with_the_same_figures(
    data: Path, fold_run: Path
) -> None:
    before = evaluate_held_out(fold_run, Sources(data, [fold_run]))
    assert read(fold_run / "evaluation-held_out.json")["sha256"].keys() == {"model.weights.h5"}
    convert_run(fold_run, Sources(data, [fold_run]))
    after = evaluate_held_out(fold_run, Sources(data, [fold_run]))
    assert before == after
    assert read(fold_run / "evaluation-held_out.json")["sha256"].keys() == {"model.onnx", "model.weights.h5"}


def test_val_figures_are_those_of_the_served_file(data: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    figures = evaluate_run(run, data, "val", tmp_path / "log.md")
    examples = read_split(data, "val")
    images = np.stack([np.asarray(Image.open(example.path).convert("L").resize((32, 32), 2)) for example in examples])
    probabilities = score_with_onnx(run / "model.onnx", images[..., np.newaxis])
    targets = np.array([example.target for example in examples])
    assert figures["brier"] == pytest.approx(np.mean((probabilities - targets) ** 2), abs=1e-3)
    written = read(run / "evaluation-val.json")
    assert written["sha256"].keys() == {"model.onnx"}
    assert {name: written[name] for name in figures} == json.loads(json.dumps(figures))
    assert "official validation split" in (run / "evaluation-val.md").read_text()
    with Image.open(run / "evaluation-val.png") as page:
        assert page.size == (1400, 1340)
    assert not (tmp_path / "log.md").exists(), "only looks at test are logged"


def test_lungs_with_reference_masks_are_tested(data: Path, fold_run: Path, tmp_path: Path) -> None:
    """The made pneumonias are bright at the bottom: with the bottom hidden, the network cannot tell them."""
    masked = Path(shutil.copytree(data, tmp_path / "data"))
    (masked / "lung_masks").mkdir()
    everywhere = np.zeros((40, 40), dtype=np.uint8)
    everywhere[2:38, 2:38] = 255
    for example in read_held_out(fold_run, data):
        Image.fromarray(everywhere).save(masked / "lung_masks" / f"{example.path.stem}.png")
    shortcut = evaluate_held_out(fold_run, Sources(masked, [fold_run]))["shortcut"]
    assert shortcut["images"] == 16
    assert shortcut["auc_whole"] == 1.0
    assert shortcut["auc_lungs_only"] == 1.0
    assert "## Shortcut test" in (fold_run / "evaluation-held_out.md").read_text()


def test_two_runs_that_held_out_the_same_images_are_refused(data: Path, tiny_fold_run: Path) -> None:
    with pytest.raises(ValueError, match="other images"):
        gather_evidence(
            Sources(data, [tiny_fold_run, tiny_fold_run]), lambda _: lambda images: np.arange(len(images), dtype=float)
        )


def test_evidence_of_several_runs_is_joined(data: Path, tiny_fold_run: Path, tmp_path: Path) -> None:
    """Each image is judged by the run that has not seen it."""
    rows = (tiny_fold_run / "held_out.csv").read_text().splitlines()
    runs = []
    for k, part in enumerate((rows[1::2], rows[2::2])):
        runs.append(tmp_path / str(k))
        runs[k].mkdir()
        (runs[k] / "plan.json").write_text(json.dumps(dataclasses.asdict(TINY_PLAN)))
        (runs[k] / "held_out.csv").write_text("\n".join([rows[0], *part, ""]))

    def open_judge(run: Path) -> Any:
        return lambda images: images.mean(axis=(1, 2, 3)) * (1 if run.name == "0" else 10)

    evidence = gather_evidence(Sources(data, runs), open_judge)
    assert [example.path.name for example in evidence.examples] == [
        row.split(",")[0] for row in rows[1::2] + rows[2::2]
    ]
    assert evidence.held_out.networks is not None
    assert evidence.held_out.networks.tolist() == [0] * 8 + [1] * 8
    assert evidence.held_out.log_odds[8:].mean() == pytest.approx(10 * evidence.held_out.log_odds[:8].mean(), rel=0.05)


def made_record() -> dict[str, Any]:
    judgements = Judgements.at_threshold(np.array([0.1, 0.6, 0.7, 0.9]), 0.5)
    figures = evaluate_judgements(judgements, np.array([0, 0, 1, 1]), list("abcd"))
    return {"decision_threshold": 0.5, **figures, "prevalence": {}, "subgroups": {}, "shortcut": None}


BALANCED = {
    "style_balanced_auc": 0.7,
    "style_balanced_sensitivity": 0.8,
    "style_balanced_specificity": 0.9,
    "style_balanced_expected_calibration_error": 0.01,
}


def test_the_report_states_the_figures() -> None:
    group = {**made_record(), "pneumonia_images": 2}
    record = made_record() | {
        "style_balanced_auc": 0.8767,
        "prevalence": {"0.05": {"ppv": 0.1, "npv": None}},
        "subgroups": {"view": {"PA": group | BALANCED, "AP": group | {"auc": None, "auc_95": None}}},
    }
    text = evaluation_report(TINY_PLAN, "test", record, "page.png")
    assert text.startswith("# tiny at 32 pixels on the official test split\n")
    for line in (
        "| AUC | 1.000 (1.000 to 1.000) |",
        "| specificity | 0.500 |",
        "| style balanced auc | 0.877 |",
        "| is NORMAL | 1 | 1 |",
        "| 5% | 0.100 | n/a |",
        "| AP | 4 | 4 | 2 | n/a | 0.750 | 1.000 | 0.500 |",
        "| PA | 0.700 | 0.800 | 0.900 | 0.010 |",
        "![Plots of this evaluation](page.png)",
    ):
        assert line in text, line
    assert "Shortcut" not in text


def test_tables_and_intervals_are_written_as_text() -> None:
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
    assert with_interval({"auc": 0.98765, "auc_95": [0.9, 1.0]}) == "0.988 (0.900 to 1.000)"


def test_a_page_is_drawn_even_where_little_is_known(tmp_path: Path) -> None:
    """One label, no history, no lungs."""
    judgements, targets = Judgements.at_threshold(np.array([0.2, 0.9]), 0.5), np.array([1, 1])
    record = made_record() | dict(evaluate_judgements(judgements, targets, ["a", "b"]))
    plot_evaluation("title", judgements, targets, record, tmp_path / "none.csv", tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as page:
        assert len(np.unique(np.asarray(page.convert("L")))) > 50


def test_intervals_of_shares_are_wilsons() -> None:
    """Published values for 0, 5 and 10 of 10 (Newcombe 1998 gives the method; computed there and in R's binom)."""
    share, count = np.array([0.0, 0.5, 1.0]), np.array([10, 10, 10])
    down, up = _wilson(share, count)
    np.testing.assert_allclose(share - down, [0, 0.2366, 0.7225], atol=2e-4)
    np.testing.assert_allclose(share + up, [0.2775, 0.7634, 1], atol=2e-4)


def test_the_history_keeps_the_later_row_of_an_epoch_and_drops_what_was_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n0,0.9,NA\n1,0.8,NA\n1,0.7,NA\n")
    history = _read_history(tmp_path / "history.csv")
    assert {name: values.tolist() for name, values in history.items()} == {"epoch": [0, 1], "loss": [0.9, 0.7]}


@pytest.mark.parametrize(
    ("balance", "words_of_it"),
    [
        ("calibration", ", without weights; the calibration is weighted against style and view"),
        ("all", ", weighted against style and view, as is the calibration"),
    ],
)
def test_the_command_line_decides_the_policy_the_weights_and_the_population(
    data: Path, fold_run: Path, monkeypatch: pytest.MonkeyPatch, balance: str, words_of_it: str
) -> None:
    words = f"--sensitivity 0.9 --balance-styles {balance} --threshold-on children"
    monkeypatch.setattr("sys.argv", ["export", "convert", "--run", str(fold_run), "--data", str(data), *words.split()])
    export_main()
    decision, record = read(fold_run / "decision.json"), read(fold_run / "evaluation-held_out.json")
    chosen_for = "highest threshold with sensitivity >= 0.9 on held-out children of the training data"
    assert decision["policy"] == chosen_for + words_of_it
    assert (decision["style_balanced"], decision["threshold_population"]) == (balance, "children")
    assert record["style_balanced_auc"] == record["subgroups"]["population"]["children"]["style_balanced_auc"] == 1.0
    assert evaluate_held_out(fold_run, Sources(data, [fold_run]))["style_balanced_auc"] == 1.0, "as converted"
