"""What the gate looks at: means of an early feature map of the classifier itself.

Early, because training for pneumonia hardly changes the first blocks: later maps call a radiograph with a black border
or another contrast as strange as a photograph. Means, because where something lies in the frame is the classifier's
concern, not the gate's.
"""

from typing import Any

import keras
from keras import layers

_SHARE_OF_SIDE = 16
_MERGING = (layers.Add, layers.Concatenate)


def gate_features(network: keras.Model) -> keras.Model:
    """Take the part of a network that gives the gate's features.

    They are the means over the first feature map that joins two paths (the sum of a residual block) at 1/16 of the
    image's side or less; without such a join, over the first map of that size; without that, over the last map.

    Parameters
    ----------
    network
        Takes grey levels ``[n, h, w, 1]``; may hold its backbone as a nested network, its one layer of that kind.

    Returns
    -------
    A network from the same images to features ``[n, c]``.
    """
    backbone = _backbone(network)
    means = _means(backbone, network)
    if backbone is network:
        return keras.Model(network.input, means)
    image = keras.Input(network.input_shape[1:], name="image")
    prepare = keras.Model(network.input, _border(backbone, network)[0])
    return keras.Model(image, keras.Model(backbone.input, means)(prepare(image)))


def with_gate_features(network: keras.Model) -> keras.Model:
    """Give a network the features of `gate_features` as a second output, without computing anything twice."""
    backbone = _backbone(network)
    tapped = keras.Model(backbone.input, [backbone.output, _means(backbone, network)])
    if backbone is network:
        return tapped
    into_backbone, out_of_backbone = _border(backbone, network)
    image = keras.Input(network.input_shape[1:], name="image")
    features_map, means = tapped(keras.Model(network.input, into_backbone)(image))
    return keras.Model(image, [keras.Model(out_of_backbone, network.output)(features_map), means])


def _backbone(network: keras.Model) -> keras.Model:
    return next((layer for layer in network.layers if isinstance(layer, keras.Model)), network)


def _means(backbone: keras.Model, network: keras.Model) -> Any:
    """Average the map that the gate looks at; a symbolic tensor."""
    side = network.input_shape[1]
    maps = [layer for layer in backbone.layers if len(getattr(layer.output, "shape", ())) == 4]
    small = [layer for layer in maps if layer.output.shape[1] <= -(-side // _SHARE_OF_SIDE)]
    joined = [layer for layer in small if isinstance(layer, _MERGING)]
    return layers.GlobalAveragePooling2D()((joined or small or maps[-1:])[0].output)


def _border(backbone: keras.Model, network: keras.Model) -> tuple[Any, Any]:
    """Find the symbolic tensors that enter and leave the backbone within the network."""
    leaves = next(
        layer.input
        for layer in network.layers
        if not isinstance(layer.input, list) and layer.input._keras_history.operation is backbone
    )
    return backbone._inbound_nodes[leaves._keras_history.node_index].input_tensors[0], leaves
