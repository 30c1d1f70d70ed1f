"""A repository whose classifier is small enough to be explained again in numpy, and radiographs for it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from onnx import numpy_helper

from export.explainable.choice import choose
from export.explainable.maps import add_maps
from export.explanations.model_files import ModelFiles, open_models
from serving.repository import read_config
from tests import tiny_repository as tiny

BLOCK, CHANNELS = 16, 2
KERNEL = np.zeros((CHANNELS, 1, BLOCK, BLOCK), np.float32)
KERNEL[0], KERNEL[1] = 1 / (255 * BLOCK**2), -1 / (255 * BLOCK**2)
BIAS = np.array([0.0, 1.0], np.float32)
DENSE = np.array([[6.0], [-2.0]], np.float32)
OFFSET = -1.0

_CLASSIFIER = f"""
<ir_version: 8, opset_import: ["": 17]>
classifier (uint8[n, {tiny.SIZE}, {tiny.SIZE}, 1] image) => (float[n, 2] logits, float[n, 2] probabilities)
<int64[4] planes = {{-1, 1, {tiny.SIZE}, {tiny.SIZE}}}, float[1] offset = {{{OFFSET}}}> {{
    grey = Cast <to = 1> (image)
    frame = Reshape (grey, planes)
    maps = Conv <kernel_shape = [{BLOCK}, {BLOCK}], strides = [{BLOCK}, {BLOCK}]> (frame, kernel, bias)
    activation = Relu (maps)
    means = GlobalAveragePool (activation)
    features = Flatten (means)
    product = MatMul (features, dense)
    z = Add (product, offset)
    zero = Sub (z, z)
    logits = Concat <axis = 1> (zero, z)
    probabilities = Softmax <axis = 1> (logits)
}}"""


def classifier() -> onnx.ModelProto:
    """Brightness and darkness of blocks of 16 x 16 are its activations; the first speaks for PNEUMONIA."""
    model = onnx.parser.parse_model(_CLASSIFIER)
    weights = {"kernel": KERNEL, "bias": BIAS, "dense": DENSE}
    model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in weights.items())
    return model


def publish(repository: Path) -> Path:
    """Put the classifier, and what explains it, in the place of those of the tiny repository."""
    plain = classifier()
    explaining = add_maps(plain, choose(plain, "logits:1"))
    made_from = _replace(repository / "classifier", plain, {})
    _replace(repository / "classifier_explain", explaining, {"classifier_sha256": made_from})
    return repository


def _replace(folder: Path, model: onnx.ModelProto, record: dict[str, str]) -> str:
    content = model.SerializeToString()
    (folder / "1" / "model.onnx").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    config = read_config(folder / "config.pbtxt")
    releases = json.loads(config.parameters["release"].string_value)
    releases["1"] |= {"sha256": sha256, **record}
    config.parameters["release"].string_value = json.dumps(releases)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    return sha256


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tiny.build(tmp_path_factory.mktemp("explanations") / "model_repository"))


@pytest.fixture(scope="session")
def models(repository: Path) -> ModelFiles:
    return open_models(repository)
