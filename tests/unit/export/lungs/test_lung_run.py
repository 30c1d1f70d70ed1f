"""The segmenter from training to serving, on made radiographs."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from export.data.examples import fold_group
from export.lungs.convert import PARITY_LIMIT, convert_lung_network, largest_mask_difference
from export.lungs.dice import dice_coefficient
from export.lungs.examples import read_lung_examples
from export.lungs.network import build_lung_network
from export.lungs.plausibility import fit_plausible_lungs
from export.lungs.scoring import separate_roughly
from export.lungs.train import overlap_loss, read_held_out_names, train_lungs
from export.release.conversion import round_kernels_to_float16
from export.release.folding import fold_batch_normalization
from export.release.publication import Release, publish
from serving.check import check_repository
from serving.embedded import EmbeddedBackend
from tests.unit.export.lungs.conftest import TINY_LUNG_PLAN


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_only_radiographs_with_masks_are_used_and_no_patient_is_in_both_parts(lung_data: Path) -> None:
    kept, held_out = read_lung_examples(lung_data, fold=0)
    masks = {path.stem for path in (lung_data / "lung_masks").iterdir()}
    assert {example.radiograph.stem for example in (*kept, *held_out)} == masks
    groups = [{fold_group(example.patient) for example in part} for part in (kept, held_out)]
    assert groups[0].isdisjoint(groups[1])
    assert 2 <= len(held_out) <= 10


def test_the_loss_is_cross_entropy_plus_the_soft_dice_of_the_batch() -> None:
    generator = np.random.default_rng(0)
    masks = generator.integers(0, 2, (3, 4, 4, 1)).astype(np.float32)
    logits = generator.normal(0, 2, masks.shape).astype(np.float32)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    cross_entropy = -np.mean(masks * np.log(p) + (1 - masks) * np.log(1 - p))
    dice = (2 * (masks * p).sum() + 1) / (masks.sum() + p.sum() + 1)
    loss = float(overlap_loss(keras.ops.convert_to_tensor(masks), keras.ops.convert_to_tensor(logits)))
    assert loss == pytest.approx(cross_entropy + 1 - dice, rel=1e-5)


def test_training_goes_on_only_with_the_same_plan(lung_data: Path, lung_run: Path) -> None:
    history = (lung_run / "history.csv").read_text()
    assert len(history.splitlines()) == 1 + TINY_LUNG_PLAN.epochs
    train_lungs(TINY_LUNG_PLAN, lung_data, lung_run)
    assert (lung_run / "history.csv").read_text() == history
    with pytest.raises(ValueError, match="another plan"):
        train_lungs(dataclasses.replace(TINY_LUNG_PLAN, seed=1), lung_data, lung_run)


def test_a_training_that_lacks_epochs_trains_them_alone(lung_data: Path, lung_run: Path, tmp_path: Path) -> None:
    """As if the training had been of one epoch more, and interrupted before it."""
    run = Path(shutil.copytree(lung_run, tmp_path / "run"))
    plan = dataclasses.replace(TINY_LUNG_PLAN, epochs=TINY_LUNG_PLAN.epochs + 1)
    (run / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    (run / "model.weights.h5").unlink()
    train_lungs(plan, lung_data, run)
    before, after = ((folder / "history.csv").read_text().splitlines() for folder in (lung_run, run))
    assert after[:-1] == before
    assert [line.split(",")[0] for line in after] == ["epoch", *map(str, range(plan.epochs))]


def test_the_size_must_fit_the_poolings() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        build_lung_network(40, (4, 4, 4, 4))


def test_the_converted_model_answers_as_keras_does_at_any_batch() -> None:
    keras.utils.set_random_seed(3)
    network = build_lung_network(32, (8, 16))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # as if trained: folding must have something to fold
            layer.moving_mean.assign(np.random.default_rng(0).normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(np.random.default_rng(1).uniform(0.5, 2, layer.moving_variance.shape))
    images = np.random.default_rng(2).integers(0, 256, (7, 32, 32, 1), dtype=np.uint8)
    before = network.predict(images.astype(np.float32), verbose=0)
    fold_batch_normalization(network)
    np.testing.assert_allclose(network.predict(images.astype(np.float32), verbose=0), before, atol=1e-4)
    round_kernels_to_float16(network)
    model = convert_lung_network(network)
    assert largest_mask_difference(model, network, images) <= PARITY_LIMIT
    (output,) = onnxruntime.InferenceSession(model.SerializeToString()).get_outputs()
    assert (output.name, output.shape[1:]) == ("mask", [32, 32])
    assert {node.domain for node in model.graph.node} == {""}
    assert any(i.data_type == onnx.TensorProto.FLOAT16 for i in model.graph.initializer)


def test_the_figures_are_those_of_the_converted_model(lung_data: Path, lung_run: Path) -> None:
    """Dice computed again, from the served file on the files of the data set."""
    figures = read(lung_run / "evaluation-held_out.json")
    session = onnxruntime.InferenceSession(lung_run / "model.onnx")
    dice = []
    for name in sorted(read_held_out_names(lung_run)):
        (path,) = (lung_data / "train").glob(f"*/{name}")
        frame = Image.open(path).resize((224, 224), Image.Resampling.BILINEAR)
        image = np.asarray(frame.resize((32, 32), Image.Resampling.BILINEAR))
        (mask,) = session.run(["mask"], {"image": image[np.newaxis, ..., np.newaxis]})[0]
        found = np.asarray(Image.fromarray(mask).resize((224, 224), Image.Resampling.BILINEAR)) >= 0.5
        reference = np.kron(
            np.asarray(Image.open(lung_data / "lung_masks" / f"{path.stem}.png")), np.ones((2, 2), bool)
        )
        dice.append(dice_coefficient(found, reference))
    assert figures["images"] == len(dice) >= 2
    assert figures["dice"] == pytest.approx(np.mean(dice), abs=2e-3)  # the test's own decoder may round differently
    assert figures["dice_lowest"] == pytest.approx(min(dice), abs=5e-3)
    assert figures["rough_separation_dice"] > 0.9  # the made lungs are what is dark


def test_rough_separation_takes_what_is_under_half_of_the_stretched_range(grey_as_importance: Path) -> None:
    frame = np.full((32, 32), 40, np.uint8)
    frame[:, 16:] = 200
    frame[:, 15] = 119
    frame[:, 16] = 121
    expected = np.zeros((32, 32), bool)
    expected[:, :16] = True  # 40 to 200: the middle is 120
    np.testing.assert_array_equal(separate_roughly(grey_as_importance, frame[np.newaxis])[0], expected)


def test_plausible_limits_enclose_nearly_all_masks_with_a_tenth_to_spare() -> None:
    masks = []
    for k in range(1001):
        mask = np.zeros(10000)
        mask[: 2000 + k] = 1.0
        masks.append(mask.reshape(100, 100))
    limits = fit_plausible_lungs(masks)
    assert limits["area"] == pytest.approx([0.2005 * 0.9, 0.2995 * 1.1], abs=1e-4)
    assert limits["uncertainty"] == 0.0
    soft = [np.full((10, 10), p) for p in (0.2, 0.5)]
    assert fit_plausible_lungs(soft)["uncertainty"] == pytest.approx(1.1 * (3.2 - 0.005 * 1.2), abs=1e-3)


async def test_a_published_segmenter_is_served(lung_run: Path, tmp_path: Path) -> None:
    release = Release(tmp_path / "repository", "lung_segmenter", 1)
    publish(lung_run, release)
    assert check_repository(release.repository) == []
    assert not (release.folder / "labels.txt").exists()
    backend = await EmbeddedBackend.open(release.repository)
    (model,) = await backend.models()
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    answer = await backend.infer(model, {"image": images}, ["mask"], timeout=10)
    await backend.close()
    expected = onnxruntime.InferenceSession(lung_run / "model.onnx").run(["mask"], {"image": images})[0]
    np.testing.assert_array_equal(answer["mask"], expected)
    limits = read(lung_run / "plausible_lungs.json")
    assert model.release["plausible_lungs"] == {key: limits[key] for key in ("area", "uncertainty")}
    assert limits["children"] == 10 + len(read_held_out_names(lung_run))  # without a mask, and held out
    assert model.release["labels"] is None
    assert model.release["evaluation"]["held_out"]["dice"] == read(lung_run / "evaluation-held_out.json")["dice"]
    card = " ".join((release.folder / "MODEL_CARD.md").read_text().split())
    assert "$" not in card
    assert f"| dice | {model.release['evaluation']['held_out']['dice']} |" in card
    assert "10 % of the training pictures" in card


def spoil(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).write_bytes((run / name).read_bytes() + b" ")

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (spoil("model.onnx"), ValueError),
        (spoil("model.weights.h5"), ValueError),
        (lambda run: (run / "evaluation-held_out.json").unlink(), FileNotFoundError),
        (lambda run: (run / "plausible_lungs.json").unlink(), FileNotFoundError),
        (lambda run: (run / "evaluation-held_out.png").unlink(), FileNotFoundError),
    ],
    ids=["another model", "other weights", "no figures", "no limits", "no picture"],
)
def test_nothing_is_published_of_a_run_that_is_not_of_one_piece(
    lung_run: Path, tmp_path: Path, change: Callable[[Path], None], error: type[Exception]
) -> None:
    run = Path(shutil.copytree(lung_run, tmp_path / "run"))
    change(run)
    with pytest.raises(error):
        publish(run, Release(tmp_path / "repository", "lung_segmenter", 1))
    assert not (tmp_path / "repository").exists()
