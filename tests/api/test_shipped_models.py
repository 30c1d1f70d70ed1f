"""The shipped models on real radiographs, through the gateway."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.settings import Settings
from tests.api.conftest import running_gateway
from tests.images import encode

SAMPLES = sorted((Path(__file__).parents[1] / "data" / "samples").glob("*.jpeg"))


@pytest.fixture
async def shipped(shipped_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=shipped_repository)) as client:
        yield client


async def explain(client: httpx.AsyncClient, image: bytes, **query: Any) -> dict[str, Any]:
    answer = await client.post("/v1/explain", files={"image": ("x", image)}, params=query)
    content: dict[str, Any] = answer.raise_for_status().json()
    return content


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
async def test_samples_get_their_label_and_only_pneumonia_is_explained(
    shipped: httpx.AsyncClient, sample: Path
) -> None:
    answer = await explain(shipped, sample.read_bytes())
    label = sample.name.split("-")[0].upper()
    assert answer["prediction"]["label"] == label
    assert answer["quality"]["is_chest_xray"] is True
    assert set(answer["quality"]["warnings"]) <= {"unlike_training_data"}
    assert set(answer["explanations"]) == ({"silhouette", "gradient"} if label == "PNEUMONIA" else set())


@pytest.mark.parametrize(("resampling", "share"), [("BILINEAR", 0.9), ("BOX", 0.8)])
async def test_the_resolution_of_a_radiograph_does_not_change_the_answer(
    shipped: httpx.AsyncClient, resampling: str, share: float
) -> None:
    """Within 0.03 of their 224-pixel versions: nine in ten by Pillow's bilinear filter, eight by area averaging."""
    differences = []
    for sample in SAMPLES:
        original = Image.open(sample)
        shrunk = original.resize((224, 224), Image.Resampling[resampling])
        large = await explain(shipped, sample.read_bytes())
        small = await explain(shipped, encode(np.asarray(shrunk)))
        p_large, p_small = (answer["prediction"]["probabilities"]["PNEUMONIA"] for answer in (large, small))
        differences.append(abs(p_large - p_small))
    assert np.mean(np.array(differences) <= 0.03) >= share, differences
    assert max(differences) <= 0.1, differences


async def test_the_gradient_is_recomputed_from_the_trained_weights(
    shipped: httpx.AsyncClient, shipped_repository: Path
) -> None:
    """Weights are read off the file, everything after them is done again in numpy."""
    weights = trained_weights(shipped_repository / "pixel_importance" / "1" / "model.onnx")
    assert 0 <= weights.min() < weights.max() <= 1
    image = np.asarray(Image.open(SAMPLES[-1]).resize((128, 128), Image.Resampling.BILINEAR))
    importance = image / 255 * weights
    stretched = (importance - importance.min()) / (importance.max() - importance.min())
    gradient = (await explain(shipped, encode(image), always="true", threshold=0.6))["explanations"]["gradient"]
    assert gradient["heatmap"]["range"] == pytest.approx([importance.min(), importance.max()], abs=1e-5)
    heatmap = np.asarray(Image.open(io.BytesIO(base64.b64decode(gradient["heatmap"]["data"]))))
    np.testing.assert_allclose(heatmap, stretched * 255, atol=0.51)
    shown = stretched >= 0.6
    assert gradient["coverage"] == pytest.approx(shown.mean(), abs=2 / 128**2)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    assert gradient["bounding_box"] == {
        "x": columns[0],
        "y": rows[0],
        "width": columns[-1] - columns[0] + 1,
        "height": rows[-1] - rows[0] + 1,
    }


def trained_weights(model: Path) -> NDArray[np.float64]:
    initializers = [onnx.numpy_helper.to_array(i) for i in onnx.load(model).graph.initializer]
    (weights,) = (values for values in initializers if values.size == 128 * 128)
    return (
        weights.reshape(128, 128).astype(np.float64) * 255
    )  # the converter folds the division of grey levels into them


def pictures_of_something_else() -> dict[str, NDArray[np.uint8]]:
    """Noise, blank images, a ramp, a page of text and a checkerboard, made here."""
    random = np.random.default_rng(3)
    page = np.full((800, 600), 250, np.uint8)
    for top in range(60, 740, 24):  # lines of words
        for left in range(50, 520, 40):
            page[top : top + 9, left : left + random.integers(12, 34)] = 30
    return {
        "noise": random.integers(0, 256, (400, 500), dtype=np.uint8),
        "black": np.zeros((400, 500), np.uint8),
        "white": np.full((400, 500), 255, np.uint8),
        "ramp": np.tile(np.linspace(0, 255, 500).astype(np.uint8), (400, 1)),
        "page": page,
        "checkerboard": (np.indices((400, 500)).sum(axis=0) // 25 % 2 * 255).astype(np.uint8),
    }


@pytest.mark.parametrize("picture", pictures_of_something_else())
async def test_what_is_no_radiograph_is_refused(shipped: httpx.AsyncClient, picture: str) -> None:
    for path in ("/v1/predict", "/v1/explain"):
        image = encode(pictures_of_something_else()[picture])
        answer = await shipped.post(path, content=image, headers={"content-type": "image/png"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-a-chest-radiograph")
