"""The segmenter in `model_repository/`, on real radiographs and on pictures that are none."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.imaging.decode import decode
from api.imaging.preprocess import to_model_input
from api.quality import mask_evidence
from serving.repository import PublishedModel, read_model

ROOT = Path(__file__).parents[4]
SAMPLES = sorted((ROOT / "tests/data/samples").glob("*.jpeg"))
LIMIT_BYTES = 8 * 2**20


@pytest.fixture(scope="module")
def model() -> PublishedModel:
    return read_model(ROOT / "model_repository/lung_segmenter")


def mask_of(model: PublishedModel, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width, _ = model.spec.inputs[0].shape
    session = onnxruntime.InferenceSession(model.onnx_file)
    mask: NDArray[np.float32] = session.run(["mask"], {"image": to_model_input([pixels], height, width)})[0][0]
    return mask


def is_plausible(model: PublishedModel, mask: NDArray[np.float32]) -> bool:
    limits = model.spec.release["plausible_lungs"]
    area, uncertainty = mask_evidence(mask)
    return bool(limits["area"][0] <= area <= limits["area"][1] and uncertainty <= limits["uncertainty"])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_lung_is_found_on_each_side_of_the_spine(model: PublishedModel, path: Path) -> None:
    mask = mask_of(model, decode(path.read_bytes(), max_pixels=50_000_000).pixels)
    assert is_plausible(model, mask)
    inside = mask >= 0.5
    middle = inside.shape[1] // 2
    assert 0.35 < inside[:, :middle].sum() / inside.sum() < 0.65
    columns = inside.sum(axis=0)
    between = columns[middle - middle // 3 : middle + middle // 3].min()
    assert between < 0.3 * min(columns[:middle].max(), columns[middle:].max())


def picture_of_bars() -> NDArray[np.uint8]:
    """Five thick lines that spread from one place, as the bones of a hand do."""
    picture = Image.new("L", (224, 224), 30)
    for k in range(5):
        ImageDraw.Draw(picture).line((112, 200, 32 + 40 * k, 40), fill=200, width=14)
    return np.asarray(picture)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((224, 224), np.uint8),
        np.full((224, 224), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8),
        np.tile(np.repeat(np.array([0, 255], np.uint8), 28), (224, 4)),
        picture_of_bars(),
    ],
    ids=["black", "white", "noise", "stripes", "bars"],
)
def test_what_is_no_chest_has_no_plausible_lungs(model: PublishedModel, pixels: NDArray[np.uint8]) -> None:
    assert not is_plausible(model, mask_of(model, pixels))


def test_the_promised_limits_hold(model: PublishedModel) -> None:
    figures = model.spec.release["evaluation"]["held_out"]
    assert figures["dice"] >= 0.955
    assert figures["dice"] > figures["rough_separation_dice"]
    assert figures["latency_ratio"] <= 0.4
    assert model.onnx_file.stat().st_size <= LIMIT_BYTES
