# mypy: allow-untyped-calls, disable-error-code="no-any-return"
"""Times a ResNet50 and its gradients in PyTorch, one round for each line that comes in. `gradients` starts it.

It runs in an environment with torch and torchvision, and needs nothing else.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

SIZE = 224


def main() -> None:
    """Answer each line on the standard input with milliseconds as JSON, until there are no more."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    runs = build_runs()
    for _ in sys.stdin:
        print(json.dumps({name: _milliseconds(run) for name, run in runs.items()}), flush=True)


def build_runs() -> Mapping[str, Callable[[], object]]:
    """Build the network that Keras calls ResNet50, with one logit, and what is timed on it.

    torchvision's has the stride in the second convolution of a block, not in the first (He 2016). No weight requires a
    gradient, which spares PyTorch a third of the work.
    """
    network = resnet50(weights=None, num_classes=1).eval().requires_grad_(False)
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    features = nn.Sequential(*list(network.children())[:-2])
    image = torch.rand(1, 3, SIZE, SIZE)

    def head(activation: Tensor) -> Tensor:
        return network.fc(activation.mean((2, 3))).sum()

    def saliency() -> Tensor:
        x = image.clone().requires_grad_()
        return torch.autograd.grad(head(features(x)), x)[0]

    def grad_cam() -> Tensor:
        activation = features(image).requires_grad_()
        return torch.autograd.grad(head(activation), activation)[0]

    def forward() -> Tensor:
        with torch.inference_mode():
            return head(features(image))

    return {"forward": forward, "Grad-CAM gradient": grad_cam, "saliency": saliency}


def _milliseconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
