"""A network exported by PyTorch, against the gradients by PyTorch's autograd that lie beside it."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.unit.export.differentiate.network_gradients import (
    Gradients,
    by_onnxruntime,
    check_standard,
    differentiate,
    errors,
)

FOLDER = Path(__file__).parents[3] / "data" / "pytorch"
EXPORTERS = ("dynamo", "torchscript")


@pytest.fixture(params=EXPORTERS)
def differentiated(request: pytest.FixtureRequest) -> onnx.ModelProto:
    return differentiate(onnx.load(FOLDER / f"{request.param}.onnx"), scores="logits")


@pytest.mark.parametrize("batch", [1, 3])
def test_the_graph_agrees_with_autograd(differentiated: onnx.ModelProto, batch: int) -> None:
    with np.load(FOLDER / "gradients.npz") as arrays:
        expected: Gradients = (arrays["image_gradient"], arrays["activation_gradient"])
        found = by_onnxruntime(differentiated, arrays["image"], batch)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in expected)
    assert errors(found, expected).max() <= 1e-4


def test_the_graph_is_standard(differentiated: onnx.ModelProto) -> None:
    check_standard(differentiated)
