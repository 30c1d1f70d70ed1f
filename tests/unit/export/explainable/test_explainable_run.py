"""From a trained network to a served classifier with its explanations, and the same for anybody's ONNX file."""

import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from export.__main__ import main
from export.data.examples import load_images
from export.evaluation.evidence import Sources
from export.explainable.build import explain_run
from export.explainable.release import explainable_contents
from export.explainable.scales import map_scales, map_values
from export.networks.architectures import ARCHITECTURES, Architecture
from export.release.publication import Release, publish
from export.steps import convert_run, evaluate_run
from export.training.plan import TrainingPlan
from export.training.train import load_trained, split_examples, train
from serving.check import check_repository
from serving.embedded import EmbeddedBackend
from tests.unit.export.explainable.networks import classifier, radiographs

PLAN = TrainingPlan("small", image_size=32, epochs=3, batch_size=8, learning_rate=3e-2, augmentation=None, fold=0)


def build_small(image_size: int, head: str, imagenet: bool) -> keras.Model:
    assert head == "average" and not imagenet
    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Conv2D(6, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="last")(x)
    # Pneumonias of the made data are bright at the bottom: fields keep their places.
    return keras.Model(image, layers.Dense(1, name="log_odds", dtype="float32")(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "small", Architecture("small", build_small, 32, 3e-2))
        train(PLAN, data, folder)
        convert_run(folder, Sources(data, [folder]))
        evaluate_run(folder, data, "test", folder.parent / "log.md")
    explain_run(folder, data)
    return folder


async def test_classifier_and_explainable_classifier_are_published_with_the_same_weights(
    run: Path, data: Path, tmp_path: Path
) -> None:
    for name in ("classifier", "classifier_explain"):
        publish(run, Release(tmp_path, name, 1))
    assert check_repository(tmp_path) == []
    backend = await EmbeddedBackend.open(tmp_path)
    models = {model.name: model for model in await backend.models()}
    images = load_images(split_examples(PLAN, data)[1], 32)[:5]
    plain = await backend.infer(models["classifier"], {"image": images}, ["logits", "probabilities"], timeout=10)
    wanted = ["logits", "probabilities", "grad_cam", "grad_cam_plus_plus", "saliency"]
    explained = await backend.infer(models["classifier_explain"], {"image": images}, wanted, timeout=10)
    await backend.close()
    for name in ("logits", "probabilities"):
        np.testing.assert_allclose(np.float64(explained[name]), np.float64(plain[name]), rtol=1e-5, atol=1e-5)
    assert explained["grad_cam"].shape == (5, 8, 8) and explained["saliency"].shape == (5, 32, 32)
    record, plain_record = models["classifier_explain"].release, models["classifier"].release
    assert record["classifier_sha256"] == plain_record["sha256"] != record["sha256"]
    assert record["decision_threshold"] == plain_record["decision_threshold"]
    assert set(record["map_scales"]) == {"grad_cam", "grad_cam_plus_plus", "saliency"}


def test_saliency_of_the_converted_file_is_kerass(run: Path, data: Path) -> None:
    """Central differences of the calibrated log-odds of the Keras network, which knows nothing of the graph."""
    images = load_images(split_examples(PLAN, data)[1], 32)[:2].astype(np.float64)
    decision = json.loads((run / "decision.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "small", Architecture("small", build_small, 32, 3e-2))
        network = load_trained(run)
    saliency = map_values(run / "explainable.onnx", images.astype(np.uint8))["saliency"]
    for row, column in ((3, 4), (16, 20), (30, 9)):
        moved = np.repeat(images, 2, axis=0)
        moved[0::2, row, column] += 0.5
        moved[1::2, row, column] -= 0.5
        z = decision["slope"] * np.asarray(network.predict(moved.astype(np.float32), verbose=0))[:, 0]
        np.testing.assert_allclose(saliency[:, row, column], np.abs(z[0::2] - z[1::2]), rtol=0.05, atol=2e-5)


def test_the_weights_are_stored_once_in_each_file_and_are_the_same(run: Path) -> None:
    plain, explained = (onnx.load(run / name) for name in ("model.onnx", "explainable.onnx"))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in explained.graph.initializer}
    for tensor in plain.graph.initializer:
        np.testing.assert_array_equal(weights.pop(tensor.name), numpy_helper.to_array(tensor))
    kernels = sum(numpy_helper.to_array(tensor).size for tensor in plain.graph.initializer)
    assert sum(values.size for values in weights.values()) < kernels / 4  # no turned copy of a kernel is stored


def test_the_record_and_the_sheet(run: Path) -> None:
    record = json.loads((run / "explainable.json").read_text())
    assert record["scale_images"] == 8 and record["scalar"] == {"tensor": "logits", "weights": {"1": 1.0}}
    with Image.open(run / "explainable.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10


def test_a_changed_classifier_is_not_published_with_old_explanations(run: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(run, tmp_path / "spoilt"))
    record = json.loads((spoilt / "explainable.json").read_text())
    record["sha256"]["model.onnx"] = "0" * 64
    (spoilt / "explainable.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"explainable\.json must be of the files"):
        publish(spoilt, Release(tmp_path / "repository", "classifier_explain", 1))
    (spoilt / "explainable.json").unlink()
    with pytest.raises(FileNotFoundError, match="explainable"):
        publish(spoilt, Release(tmp_path / "repository", "classifier_explain", 1))


def test_measured_explanations_are_published_with_the_classifier_they_are_of(run: Path, tmp_path: Path) -> None:
    measured = Path(shutil.copytree(run, tmp_path / "measured"))
    sha256 = json.loads((run / "explainable.json").read_text())["sha256"]["model.onnx"]
    file = measured / "explanations.json"
    file.write_text(json.dumps({"classifier_sha256": sha256, "fails_randomisation": ["grad_cam_plus_plus"]}))
    assert explainable_contents(measured).record["fails_randomisation"] == ["grad_cam_plus_plus"]
    assert explainable_contents(run).record["fails_randomisation"] is None
    publish(measured, Release(tmp_path / "repository", "classifier_explain", 1))
    card = " ".join((tmp_path / "repository" / "classifier_explain" / "MODEL_CARD.md").read_text().split())
    assert "8 by 8 fields" in card and "what it has learned: `grad_cam_plus_plus`" in card
    file.write_text(json.dumps({"classifier_sha256": "0" * 64, "fails_randomisation": []}))
    with pytest.raises(ValueError, match="must be of the classifier in the run folder"):
        explainable_contents(measured)


def test_a_run_that_held_nothing_out_gets_no_scales(run: Path, data: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    plan = json.loads((whole / "plan.json").read_text())
    (whole / "plan.json").write_text(json.dumps({**plan, "fold": None}))
    with pytest.raises(ValueError, match="must have held out a fold"):
        explain_run(whole, data)


def test_scales_by_hand() -> None:
    """Of 1,000 pixels the second largest but a little, of the images 19 of 20."""
    maps = np.zeros((21, 1000), dtype=np.float32)
    maps[:, 0] = 1000.0
    maps[:, 1] = np.arange(1, 22)
    expected = np.quantile([np.quantile(row, 0.999) for row in maps], 0.95)
    assert map_scales({"saliency": maps.reshape(21, 25, 40)})["saliency"] == pytest.approx(expected, rel=5e-3)
    with pytest.raises(ValueError, match="positive finite"):
        map_scales({"saliency": np.zeros((2, 3, 3), dtype=np.float32)})


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["export", "explainable", *map(str, arguments)])
    main()


def test_anybodys_classifier_is_explained_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(classifier(), tmp_path / "mine.onnx")
    command(monkeypatch, tmp_path / "mine.onnx", "--maps", "grad_cam,saliency")
    assert "logits" in capsys.readouterr().out
    written = onnx.load(tmp_path / "mine_explainable.onnx")
    assert [output.name for output in written.graph.output] == ["logits", "grad_cam", "saliency"]
    command(monkeypatch, tmp_path / "mine.onnx", "--logit", "logits:0", "--layer", "maps", "--out", tmp_path / "b.onnx")
    (values,) = ReferenceEvaluator(onnx.load(tmp_path / "b.onnx")).run(["saliency"], {"image": radiographs()})
    assert np.abs(np.asarray(values)).max() > 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--run", "run"],
        ["mine.onnx", "--run", "run", "--data", "data"],
        ["mine.onnx", "--maps", "smooth"],
        ["--run", "run", "--data", "data", "--logit", "logits:1"],
        ["mine.onnx", "--data", "data"],
        ["nowhere.onnx"],
        ["garbage.onnx"],
        ["mine.onnx", "--out", "mine.onnx"],
        ["mine.onnx", "--out", "nowhere/out.onnx"],
        ["mine.onnx", "--logit", "nothing"],
        ["mine.onnx", "--layer", "nothing"],
        ["mine.onnx", "--layer", "features"],
        ["mine.onnx", "--features", "nothing"],
        ["mine.onnx", "--source", "image"],
        ["misshapen.onnx"],
    ],
)
def test_a_command_that_cannot_be_done_is_refused_in_words(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(classifier(), "mine.onnx")
    misshapen = classifier()
    misshapen.graph.initializer[-1].dims[:] = [2, 3]  # of the dense layer, turned
    onnx.save(misshapen, "misshapen.onnx")
    Path("garbage.onnx").write_bytes(b"no model")
    before = Path("mine.onnx").read_bytes()
    with pytest.raises(SystemExit) as exit_:
        command(monkeypatch, *arguments)
    assert exit_.value.code == 2
    assert "explainable: error: " in capsys.readouterr().err
    assert Path("mine.onnx").read_bytes() == before
