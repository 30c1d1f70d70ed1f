"""The shipped explainable classifier: the classifier's weights, and maps that mean what they say."""

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from api.settings import Settings
from serving.embedded import EmbeddedBackend
from tests.api.conftest import running_gateway

PNEUMONIAS = sorted((Path(__file__).parents[1] / "data" / "samples").glob("pneumonia*.jpeg"))
MAPS = ("saliency", "grad_cam", "grad_cam_plus_plus")


def only_version(repository: Path, name: str) -> Path:
    (file,) = (repository / name).glob("*/model.onnx")
    return file


def seen(sample: Path) -> NDArray[np.uint8]:
    pixels = Image.open(sample).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
    return np.asarray(pixels)[np.newaxis, ..., np.newaxis]


def test_both_files_hold_the_same_weights_once(shipped_repository: Path) -> None:
    plain, explained = (only_version(shipped_repository, name) for name in ("classifier", "classifier_explain"))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(explained).graph.initializer}
    for tensor in onnx.load(plain).graph.initializer:
        np.testing.assert_array_equal(weights[tensor.name], numpy_helper.to_array(tensor))
    assert plain.stat().st_size + explained.stat().st_size <= 2.1 * plain.stat().st_size


async def test_the_release_names_the_classifier_that_is_explained(shipped_repository: Path) -> None:
    backend = await EmbeddedBackend.open(shipped_repository)
    records = {model.name: model.release for model in await backend.models()}
    await backend.close()
    file = only_version(shipped_repository, "classifier")
    assert records["classifier_explain"]["classifier_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert records["classifier_explain"]["decision_threshold"] == records["classifier"]["decision_threshold"]


def test_nothing_but_standard_operators_of_opset_17(shipped_repository: Path) -> None:
    model = onnx.load(only_version(shipped_repository, "classifier_explain"))
    assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", 17)}
    assert {node.domain for node in model.graph.node} == {""}
    assert all(len(node.output) == 1 for node in model.graph.node if node.op_type == "MaxPool")
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("sample", PNEUMONIAS[:2], ids=lambda path: path.stem)
def test_saliency_foretells_how_the_log_odds_change(shipped_repository: Path, sample: Path) -> None:
    """Each of the 100 most salient pixels is moved by one grey level, once as its sign says and once against it."""
    file = only_version(shipped_repository, "classifier_explain")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    image = seen(sample)
    (saliency,) = session.run(["saliency"], {"image": image})
    strongest = np.abs(saliency[0]) >= np.sort(np.abs(saliency[0]), axis=None)[-100]
    step = np.where(strongest, np.sign(saliency[0]), 0).astype(np.int64)
    moved = np.stack([np.clip(image[0, ..., 0] + sign * step, 0, 255) for sign in (1, -1)]).astype(np.uint8)
    foretold = float((saliency[0] * (moved[0].astype(np.float64) - moved[1])).sum())
    (logits,) = session.run(["logits"], {"image": moved[..., np.newaxis]})
    assert foretold > 1
    assert float(logits[0, 1] - logits[1, 1]) == pytest.approx(foretold, rel=0.2)


async def test_the_gateway_gives_the_maps_of_the_model(shipped_repository: Path) -> None:
    sample = PNEUMONIAS[0]
    session = onnxruntime.InferenceSession(
        str(only_version(shipped_repository, "classifier_explain")), providers=["CPUExecutionProvider"]
    )
    expected = dict(zip(MAPS, session.run(list(MAPS), {"image": seen(sample)}), strict=True))
    async with running_gateway(Settings(model_repository=shipped_repository)) as client:
        query = {"methods": ",".join(MAPS)}
        answer = await client.post("/v1/explain", files={"image": ("x", sample.read_bytes())}, params=query)
    blocks: dict[str, Any] = answer.raise_for_status().json()["explanations"]
    assert set(blocks) == set(MAPS)
    for name, block in blocks.items():
        values = np.abs(expected[name][0])
        assert (block["constant"], block["non_finite"]) == (False, False)
        heatmap = np.asarray(Image.open(io.BytesIO(base64.b64decode(block["heatmap"]["data"]))))
        np.testing.assert_allclose(heatmap / 255 * block["heatmap"]["range"][1], values, atol=values.max() / 100)
        assert 0 < block["scale"][1] < 10 * values.max()
