"""The comparison table: facts of run folders, command lines that repeat them, and times."""

import argparse
import dataclasses
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from export import compare
from export.__main__ import main as export_main
from export.data.augmentation import AugmentationRange
from export.data.mask_augmentation import MaskAugmentation
from export.evaluation import yardstick
from export.evaluation.comparison import (
    BEGIN,
    END,
    Contender,
    comparison_table,
    insert_table,
    read_contender,
    training_seconds,
)
from export.evaluation.latency import median_latencies
from export.evaluation.reproduction import training_command
from export.evaluation.yardstick import build_yardstick
from export.training import commands
from export.training.plan import TrainingPlan
from tests.unit.export.conftest import TINY_PLAN, build_tiny

FIGURES = {"auc": 0.99, "auc_95": [0.98, 0.995], "accuracy": 0.95}


@pytest.mark.parametrize(
    "plan",
    [
        TrainingPlan("tiny", image_size=32, learning_rate=3e-2),
        dataclasses.replace(TINY_PLAN, fold=3, adults=True, balance="style", precision="bfloat16", seed=7),
        TrainingPlan(
            "tiny", 64, "a name.whl", label_smoothing=0.1, averaging=0.99, optimizer="adam", head="average",
            augmentation=AugmentationRange(rotation=3.5, zoom=0.0), masking=MaskAugmentation("weak", 0.4, "first"),
        ),
        TrainingPlan("tiny", 64, "earlier-run"),
    ],
    ids=["defaults", "no augmentation", "much", "from a run"],
)  # fmt: skip
def test_the_command_line_gives_the_plan_it_was_made_from(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    monkeypatch.setattr(commands, "train", lambda *given: parsed.extend(given))
    parser = argparse.ArgumentParser()
    for option in ("--run", "--data"):
        parser.add_argument(option)
    commands.add_train_arguments(parser)
    program, *words = shlex.split(training_command(plan, "runs/x"))
    assert [program, *words[:3]] == ["python", "-m", "export", "train"]
    arguments = parser.parse_args(words[3:])
    arguments.step(arguments)
    made, *rest = parsed
    assert [without_folders(made), *rest] == [plan, "DATA", "runs/x"]


def without_folders(plan: TrainingPlan) -> TrainingPlan:
    """Other runs are named where they lie, beside the new one."""
    masking = plan.masking
    if masking and masking.activation_run:
        masking = dataclasses.replace(masking, activation_run=masking.activation_run.removeprefix("runs/"))
    return dataclasses.replace(plan, init=plan.init.removeprefix("runs/"), masking=masking)


def test_other_runs_are_looked_for_beside_the_new_one() -> None:
    plan = TrainingPlan("tiny", 32, "earlier", masking=MaskAugmentation("weak", 0.1, "first"))
    words = shlex.split(training_command(plan, "runs/x"))
    assert words[words.index("--init") + 1] == "runs/earlier"
    assert words[words.index("--activation-run") + 1] == "runs/first"
    file = shlex.split(training_command(dataclasses.replace(plan, init="weights-1.0.whl"), "runs/x"))
    assert file[file.index("--init") + 1] == "weights-1.0.whl"


def test_only_what_differs_from_the_defaults_is_said() -> None:
    command = training_command(TrainingPlan("tiny", image_size=32, learning_rate=3e-2, epochs=9), "runs/x")
    assert command == "python -m export train --architecture tiny --epochs 9 --data DATA --run runs/x"


def contender(**changes: Any) -> Contender:
    plan = TrainingPlan("resnet50", 224)
    return dataclasses.replace(Contender("r50", plan, 23_600_000, 1234.0, FIGURES, None, 30.0), **changes)


def test_a_row_states_ours_beside_the_studys() -> None:
    unknown = contender(name="new", plan=TrainingPlan("xception", 224), training_seconds=None, latency_ms=None)
    table = comparison_table([contender(), unknown], 60.0, ["These two share a machine. " * 9, "No more."])
    ours = "0.990 (0.980 to 0.995) / 0.950"
    assert f"| r50 | resnet50 | 224 | 23.6 M | 21 min | {ours} | n/a | 0.9064 / 0.8304 | 30.0 | 0.50 |" in table
    assert f"| new | xception | 224 | 23.6 M | n/a | {ours} | n/a | n/a | n/a | n/a |" in table
    paragraphs = [" ".join(paragraph.split()) for paragraph in table.split("\n\n")]
    assert "takes 60 ms" in paragraphs[1]
    assert "published gradient model gives 0.860 / 0.756" in paragraphs[1]
    assert paragraphs[2:4] == ["These two share a machine. " * 8 + "These two share a machine.", "No more."]
    assert "    python -m export train --architecture resnet50 --image-size 224" in table
    assert all(len(line) <= 120 for line in table.splitlines() if not line.startswith(("|", "    ")))


def test_the_table_replaces_what_is_between_the_markers() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = insert_table(text, "new")
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert insert_table(once, "new") == once
    assert insert_table("", "new") == f"{BEGIN}\nnew\n{END}\n", "so that the next time it is replaced"


def test_an_existing_document_without_markers_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="comparison: begin"):
        insert_table("a README\n", "new")


def test_epochs_that_were_trained_twice_take_their_time_once(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("epoch,loss,seconds\n0,1,10\n1,1,500\n1,1,12\n")
    assert training_seconds(history) == 22
    history.write_text("epoch,loss\n0,1\n")
    assert training_seconds(history) is None
    assert training_seconds(tmp_path / "none.csv") is None


def test_the_childrens_figures_are_compared(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    record = json.loads((run / "evaluation-held_out.json").read_text())
    record["subgroups"]["population"]["children"]["accuracy"] = 0.123
    (run / "evaluation-held_out.json").write_text(json.dumps(record))
    read = read_contender(run, 17, 1.5)
    assert read.held_out is not None
    assert read.held_out["accuracy"] == 0.123
    assert read.test is not None
    assert read.test["images"] == 24
    with (run / "model.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ValueError, match=r"evaluation-held_out\.json must be of"):
        read_contender(run, 17, 1.5)


def multiplier(size: int) -> bytes:
    """A model whose work grows with the third power of its size."""
    factor = numpy_helper.from_array(np.ones((size, size), dtype=np.float32), "factor")
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Squeeze", ["grey", "last"], ["flat"]),
        helper.make_node("MatMul", ["flat", "factor"], ["product"]),
    ]
    graph = helper.make_graph(
        nodes,
        "multiplier",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", size, size, 1])],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", size, size])],
        [factor, helper.make_tensor("last", TensorProto.INT64, [1], [3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_more_work_takes_longer() -> None:
    """A thousand times the work: no busy machine turns that round."""
    times = median_latencies({"small": multiplier(64), "large": multiplier(640)}, rounds=5)
    assert 0 < times["small"] < times["large"]


def test_the_yardstick_is_resnet50() -> None:
    """23,587,712 parameters without its top, as Keras documents, and 2,049 for one output."""
    network = build_yardstick()
    assert network.count_params() == 23_587_712 + 2_049
    assert network.input_shape == (None, 224, 224, 1)
    keras.backend.clear_session()


def test_the_yardstick_answers_in_onnx_runtime() -> None:
    """The real one: what is put in its place elsewhere is smaller."""
    (milliseconds,) = median_latencies({"yardstick": yardstick.convert_yardstick()}, rounds=1).values()
    assert milliseconds > 0
    keras.backend.clear_session()


def wide_reference() -> keras.Model:
    image = keras.Input((32, 32, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    return keras.Model(image, layers.Dense(1)(layers.Flatten()(layers.Conv2D(64, 9, padding="same")(x))))


def test_runs_are_compared_in_one_document(
    tiny_run: Path, tiny_fold_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yardstick, "build_yardstick", wide_reference)
    (tmp_path / "README.md").write_text(f"# Title\n\n{BEGIN}\n{END}\n")
    arguments = [
        "--runs",
        str(tiny_run),
        str(tiny_fold_run),
        "--out",
        str(tmp_path / "README.md"),
        "--note",
        "One.",
        "Two.",
    ]
    monkeypatch.setattr("sys.argv", ["export", "compare", *arguments])
    export_main()
    lines = (tmp_path / "README.md").read_text().splitlines()
    full, fold = (next(line for line in lines if line.startswith(f"| {name} ")) for name in ("full", "fold"))
    parameters = build_tiny(32, "average", False).count_params()
    assert f"| {parameters / 1e6:.1f} M |" in full
    assert "1.000 (1.000 to 1.000) / 1.000 | 1.000 (1.000 to 1.000) / 1.000" in full, "held-out and test"
    assert "| n/a | n/a | n/a |" in fold, "not evaluated, and not of the study"
    assert float(fold.split("|")[-2]) < 1
    assert lines[lines.index("One.") :][:3] == ["One.", "", "Two."]
    assert sum(line.startswith("    python -m export train --architecture tiny") for line in lines) == 2
    assert "--fold 0" in lines[-2]


def test_two_runs_of_one_name_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its own name"):
        compare.compare_runs([tiny_run, tiny_run], tmp_path / "table.md")
