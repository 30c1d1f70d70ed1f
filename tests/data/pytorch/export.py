# mypy: allow-subclassing-any, allow-untyped-calls, disable-error-code="misc"
"""Makes the files beside it: a small PyTorch network as ONNX by both exporters, and its gradients by autograd.

``python export.py`` in an environment of its own; PyTorch is no dependency of the project. `README.md` names the
versions it was run with.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent
HEIGHT, WIDTH, IMAGES = 33, 39, 3


class Small(nn.Module):
    """Convolutions with a residual connection, several activations and poolings; answers two logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.SiLU())
        self.pointwise = nn.Sequential(nn.Conv2d(8, 8, 1), nn.GELU())
        self.last = nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU())
        self.head = nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Flatten(), nn.Linear(12 * 4 * 4, 2))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Answer the logits ``[n, 2]`` and the last activation ``[n, 12, 4, 4]``."""
        x = self.pool(self.stem(image))
        activation = self.last(x + self.pointwise(self.depthwise(x)))
        return self.head(activation), activation


def main() -> None:
    """Write all files."""
    torch.manual_seed(0)
    network, image = Small(), torch.randn(IMAGES, 3, HEIGHT, WIDTH)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.5)
        network(image)  # in training mode: sets the statistics
    network.eval()
    _save_gradients(network, image)
    _export(network, image)


def _save_gradients(network: Small, image: Tensor) -> None:
    x = image.clone().requires_grad_()
    logits, activation = network(x)
    gradients = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), [x, activation])
    arrays = {"image": image, "logits": logits, "image_gradient": gradients[0], "activation_gradient": gradients[1]}
    np.savez_compressed(FOLDER / "gradients.npz", **{key: each.detach().numpy() for key, each in arrays.items()})


def _export(network: Small, image: Tensor) -> None:
    names = {"input_names": ["image"], "output_names": ["logits", "activation"], "external_data": False}
    batch = {0: torch.export.Dim("batch", min=1, max=1024)}
    torch.onnx.export(
        network, (image,), FOLDER / "dynamo.onnx", opset_version=18, dynamo=True, dynamic_shapes=(batch,), **names
    )
    axes = {name: {0: "batch"} for name in ("image", "logits", "activation")}
    torch.onnx.export(
        network, (image,), FOLDER / "torchscript.onnx", opset_version=17, dynamo=False, dynamic_axes=axes, **names
    )
    for name in ("dynamo.onnx", "torchscript.onnx"):
        _drop_traces(FOLDER / name)


def _drop_traces(file: Path) -> None:
    """Drop what the exporters note about each node, such as the paths of the Python files it comes from."""
    model = onnx.load(file)
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, file)


if __name__ == "__main__":
    main()
