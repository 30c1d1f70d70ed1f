"""Made radiographs, and runs of networks small enough to train here."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from export.evaluation.evidence import Sources
from export.networks.architectures import ARCHITECTURES, Architecture
from export.steps import convert_run, evaluate_run
from export.training.plan import TrainingPlan
from export.training.train import train
from tests.images import encode

TINY_PLAN = TrainingPlan("tiny", image_size=32, epochs=3, batch_size=8, learning_rate=3e-2, augmentation=None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let TensorFlow's variables be copied as numpy 1 did, which numpy 2 still does with a warning. Nothing of ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))


def build_tiny(image_size: int, head: str, imagenet: bool) -> keras.Model:
    """Log-odds from the means of 8x8 blocks: simple enough to be computed again in numpy."""
    assert head == "average" and not imagenet
    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(1, name="log_odds", dtype="float32")(x))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pneumonias are bright at the bottom, normals at the top: a task that few epochs can learn."""
    root = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for split, count in (("train", 40), ("val", 8), ("test", 12)):
        for label in ("NORMAL", "PNEUMONIA"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = generator.integers(0, 60, (40, 40), dtype=np.uint8)
                rows = slice(20, 40) if label == "PNEUMONIA" else slice(0, 20)
                pixels[rows] += 150
                name = f"person{k}_virus_1" if label == "PNEUMONIA" else f"IM-{k:04}-0001"
                (folder / f"{name}.jpeg").write_bytes(encode(pixels, "jpeg"))
    return root


@pytest.fixture(scope="session", autouse=True)
def tiny_architecture() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "tiny", Architecture("tiny", build_tiny, 32, 3e-2))
        yield


@pytest.fixture(scope="session")
def tiny_fold_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tiny") / "fold"
    train(dataclasses.replace(TINY_PLAN, fold=0), data, run)
    return run


@pytest.fixture(scope="session")
def tiny_run(data: Path, tiny_fold_run: Path) -> Path:
    """Trained on the whole split, converted, and evaluated on the test split. Not to be changed: copy it."""
    run = tiny_fold_run.parent / "full"
    train(TINY_PLAN, data, run)
    convert_run(run, Sources(data, [tiny_fold_run]))
    evaluate_run(run, data, "test", run.parent / "log.md")
    return run
