"""Made radiographs with masks, and a run of the segmenter small enough to train here."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image, ImageDraw

from export.lungs.convert import convert_lungs
from export.lungs.evaluate import evaluate_lungs
from export.lungs.train import LungTrainingPlan, train_lungs
from tests.images import encode

SIDE = 112
TINY_LUNG_PLAN = LungTrainingPlan(image_size=32, widths=(4, 8), epochs=4, batch_size=4, no_chest_share=0.1)


def made_lungs(generator: np.random.Generator) -> NDArray[np.bool_]:
    """Two ellipses side by side."""
    picture = Image.new("1", (SIDE, SIDE))
    draw, (x, y) = ImageDraw.Draw(picture), generator.integers(-6, 7, 2).tolist()
    for left in (18, 64):
        draw.ellipse((left + x, 20 + y, left + 30 + x, 90 + y), fill=1)
    return np.asarray(picture)


@pytest.fixture(scope="session")
def lung_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark lungs on a bright body; every fourth radiograph has no mask."""
    root, generator = tmp_path_factory.mktemp("lung_data"), np.random.default_rng(0)
    (root / "lung_masks").mkdir()
    for label in ("NORMAL", "PNEUMONIA"):
        folder = root / "train" / label
        folder.mkdir(parents=True)
        for k in range(20):
            name = f"person{k}_virus_1" if label == "PNEUMONIA" else f"IM-{k:04}-0001"
            lungs = made_lungs(generator)
            pixels = np.where(lungs, 60, 170) + generator.integers(-20, 20, (SIDE, SIDE))
            (folder / f"{name}.jpeg").write_bytes(encode(pixels.astype(np.uint8), "jpeg"))
            if k % 4:
                Image.fromarray(lungs).save(root / "lung_masks" / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def grey_as_importance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `pixel_importance` whose pixel weights are all 1."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["axis"], value_ints=[3]),
        helper.make_node("Squeeze", ["grey", "axis"], ["importance"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 32, 32, 1])
    importance = helper.make_tensor_value_info("importance", TensorProto.FLOAT, ["batch", 32, 32])
    graph = helper.make_graph(nodes, "pixel_importance", [image], [importance])
    path = tmp_path_factory.mktemp("baseline") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="session")
def lung_run(lung_data: Path, grey_as_importance: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, converted and evaluated. Not to be changed: copy it."""
    run = tmp_path_factory.mktemp("lungs") / "run"
    train_lungs(TINY_LUNG_PLAN, lung_data, run)
    convert_lungs(run, lung_data)
    evaluate_lungs(run, lung_data, grey_as_importance, time_latency=None)
    return run
