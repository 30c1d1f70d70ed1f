"""A gate from fitting to its report: radiographs pass, other presentations are named, other pictures are refused."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.__main__ import main
from export.data.examples import Example, read_split, split_fold
from export.gate.build import BuiltGate, build_gate
from export.gate.drawings import DRAWINGS
from export.gate.features import gate_features
from export.gate.halves import measures
from export.gate.pictures import model_inputs, read_pixels
from tests.images import encode


def made_radiograph(seed: int) -> NDArray[np.uint8]:
    """Two dark lungs on a body that brightens downwards, with some noise."""
    g = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :48] / 48
    body = 90 + g.uniform(60, 90) * rows
    for middle in (0.27, 0.73):
        lung = np.hypot((rows - 0.5) / g.uniform(0.30, 0.36), (columns - middle) / g.uniform(0.14, 0.18)) < 1
        body = np.where(lung, body - 70, body)
    return np.asarray(np.clip(body + g.normal(0, 4, body.shape), 0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    folder = tmp_path_factory.mktemp("radiographs")
    made = []
    for k in range(120):
        path = folder / f"{k}.jpeg"
        path.write_bytes(encode(made_radiograph(k), "jpeg"))
        made.append(Example(path, k % 2, "", f"patient{k // 2}", population="adults" if k >= 80 else "children"))
    return made


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(4)
    image = keras.Input((48, 48, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    start = keras.initializers.RandomNormal(stddev=0.5, seed=6)
    for filters, strides in ((32, 2), (64, 1), (192, 4)):
        x = layers.Conv2D(filters, 3, strides=strides, activation="relu", bias_initializer=start)(x)
    return keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def built(network: keras.Model, examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> BuiltGate:
    return build_gate(network, examples, [], tmp_path_factory.mktemp("empty"))


def features(network: keras.Model, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    readers = [partial(np.asarray, picture) for picture in pictures]
    looked_at = gate_features(network)
    return np.concatenate(
        [np.asarray(looked_at.predict_on_batch(batch.astype(np.float32))) for batch in model_inputs(readers, 48)]
    )


def test_new_radiographs_pass_and_are_frontal(network: keras.Model, built: BuiltGate) -> None:
    seen = features(network, [made_radiograph(seed) for seed in range(1000, 1100)])
    assert (built.gate.ood_score(seen) > built.limits.refuse).mean() <= 0.01
    assert (built.gate.presentation(seen).argmax(axis=1) == built.gate.presentations.index("frontal")).mean() >= 0.99


@pytest.mark.parametrize("name", ["rotated", "inverted"])
def test_other_presentations_pass_and_are_named(network: keras.Model, built: BuiltGate, name: str) -> None:
    radiographs = [made_radiograph(seed) for seed in range(1000, 1050)]
    changed = [np.rot90(r, 1 + k % 3) if name == "rotated" else 255 - r for k, r in enumerate(radiographs)]
    seen = features(network, [np.ascontiguousarray(picture) for picture in changed])
    assert (built.gate.presentation(seen).argmax(axis=1) == built.gate.presentations.index(name)).mean() >= 0.95
    assert (built.gate.ood_score(seen) > built.limits.refuse).mean() <= 0.05


@pytest.mark.parametrize("kind", ["stripes", "pixel noise", "document", "barcode", "chart"])
def test_other_pictures_are_refused(network: keras.Model, built: BuiltGate, kind: str) -> None:
    seen = features(network, [DRAWINGS[kind](seed) for seed in range(10)])
    assert (built.gate.ood_score(seen) > built.limits.refuse).all()


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_frames_are_refused(network: keras.Model, built: BuiltGate, level: int) -> None:
    (score,) = built.gate.ood_score(features(network, [np.full((50, 40), level, dtype=np.uint8)]))
    assert score > built.limits.refuse


def test_limits_follow_their_rule(network: keras.Model, examples: list[Example], tmp_path: Path) -> None:
    """With radiographs held out, half of their patients choose the limits by the gate that is fitted to the others."""
    kept = [e for e in examples if int(e.patient[7:]) % 3]
    held_out = [e for e in examples if not int(e.patient[7:]) % 3]
    measured = build_gate(network, kept, held_out, tmp_path)
    choosing, measuring = ([e for e in held_out if measures(e.patient) is half] for half in (False, True))
    assert choosing and measuring

    def scores(members: list[Example], population: str) -> NDArray[np.float64]:
        chosen = [read_pixels(e.path) for e in members if e.population == population]
        return measured.gate.ood_score(features(network, chosen))

    unseen = build_gate(network, kept, [], tmp_path).gate
    np.testing.assert_array_equal(measured.gate.centres, unseen.centres)
    expected = max(float(np.quantile(scores(choosing, population), 0.99)) for population in ("children", "adults"))
    assert measured.limits.unlike == pytest.approx(expected, abs=2e-4)
    assert measured.limits.refuse == pytest.approx(1.25 * measured.limits.unlike, abs=2e-4)
    for population in ("children", "adults"):
        row, judged = measured.out_of_fold[f"frontal {population}"], scores(measuring, population)
        assert row["images"] == len(judged)
        assert row["refused"] == pytest.approx((judged > measured.limits.refuse).mean(), abs=1e-4)
        assert row["unlike"] == pytest.approx((judged > measured.limits.unlike).mean(), abs=1e-4)
        assert row["largest_score"] == pytest.approx(judged.max(), abs=1e-3)


def test_without_held_out_radiographs_half_of_the_patients_are_measured_out_of_fold(
    built: BuiltGate, examples: list[Example]
) -> None:
    rows, measuring = built.out_of_fold, [e.population for e in examples if measures(e.patient)]
    children, adults = measuring.count("children"), measuring.count("adults")
    assert 0 < children < 80
    assert 0 < adults < 40
    assert rows["frontal children"]["images"] == children
    assert rows["rotated adults"]["images"] == 3 * adults
    assert rows["inverted children"]["images"] == children
    assert rows["frontal children"]["refused"] <= 0.01 < rows["frontal children"]["named_so"]


def save_segmenter(path: Path, level: float) -> Path:
    """A segmenter that finds the same share of lung at every pixel."""
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "level"], ["map"]),
        helper.make_node("Squeeze", ["map", "last"], ["mask"]),
    ]
    constants = {"zero": np.float32(0), "level": np.float32(level), "last": np.array([3])}
    graph = helper.make_graph(
        nodes,
        "lung_segmenter",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 16, 16, 1])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", 16, 16])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    (path.parent / "plausible_lungs.json").write_text(json.dumps({"area": [0.1, 0.6], "uncertainty": 0.5}))
    return path


def run_gate(
    monkeypatch: pytest.MonkeyPatch, run: Path, data: Path, *more: str
) -> dict[str, dict[str, dict[str, Any]]]:
    monkeypatch.setattr(sys, "argv", ["export", "gate", "--run", str(run), "--data", str(data), *more])
    main()
    figures: dict[str, dict[str, dict[str, Any]]] = json.loads((run / "evaluation-gate.json").read_text())
    return figures


def test_the_command_counts_what_the_served_model_says(
    tiny_run: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = run_gate(monkeypatch, tiny_run, data)
    decision = json.loads((tiny_run / "decision.json").read_text())
    session = onnxruntime.InferenceSession(str(tiny_run / "model.onnx"), providers=["CPUExecutionProvider"])
    for kind in ("blank", "gradient", "chart"):
        (batch,) = model_inputs([partial(DRAWINGS[kind], seed) for seed in range(20)], 32)
        (scores,) = session.run(["ood_score"], {"image": batch})
        row = figures["must_be_refused"][kind]
        assert row["refused"] == (scores > decision["ood_limits"]["refuse"]).sum(), kind
        assert row["unlike_training_data"] == (scores > decision["ood_limits"]["unlike"]).sum(), kind
        assert row["lungs_not_found"] is None
    assert figures["must_be_refused"]["blank"]["refused"] > 0
    assert figures["must_pass"]["official val images"]["images"] == 16
    report = (tiny_run / "evaluation-gate.md").read_text()
    assert report in capsys.readouterr().out
    assert "Network and gate are fitted to all radiographs" in report
    assert "| chart | 20 |" in report.split("kinds that chose nothing")[1].split("##")[0]


def test_a_run_with_a_fold_held_out_is_measured_on_patients_who_chose_nothing(
    tiny_run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("decision.json", "model.onnx"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    plan = json.loads((tiny_run / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "fold": 0}))
    figures = run_gate(monkeypatch, tmp_path, data)
    held_out = split_fold(read_split(data, "train"), 0)[1]
    measuring = [example for example in held_out if measures(example.patient)]
    assert 0 < len(measuring) < len(held_out) < 30
    assert figures["must_pass"]["noise, sigma 4"]["images"] == 16 + len(measuring)
    assert figures["must_be_named"]["inverted"]["images"] == len(measuring)
    assert "patients that neither network nor gate has seen" in (tmp_path / "evaluation-gate.md").read_text()


def test_where_no_lungs_are_found_the_lower_limit_refuses(
    tiny_run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = save_segmenter(tmp_path / "lungs.onnx", 0.0)
    figures = run_gate(monkeypatch, tiny_run, data, "--lung-segmenter", str(empty))
    for row in (*figures["must_pass"].values(), *figures["must_be_refused"].values()):
        assert row["lungs_not_found"] == row["images"]
        # A mask says nothing of those that are named otherwise than frontal.
        named = sum(row["named"].values())
        assert max(row["refused_by_score_alone"], row["unlike_training_data"] - named) <= row["refused"]
        assert row["refused"] <= row["unlike_training_data"]


def test_the_release_carries_the_gate(tiny_run: Path, data: Path) -> None:
    decision = json.loads((tiny_run / "decision.json").read_text())
    assert decision["presentations"][0] == "frontal"
    assert 0 < decision["ood_limits"]["unlike"] < decision["ood_limits"]["refuse"]
    measuring = [example for example in read_split(data, "train") if measures(example.patient)]
    assert decision["ood_out_of_fold"]["frontal children"]["images"] == len(measuring) < 80


def test_figures_of_another_model_are_refused(
    tiny_run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("decision.json", "plan.json", "model.onnx"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes() + (b" " if name == "model.onnx" else b""))
    with pytest.raises(ValueError, match=r"decision\.json"):
        run_gate(monkeypatch, tmp_path, data)
