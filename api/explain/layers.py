"""Layers: what early and late layers of the network make of the radiograph, channel by channel.

As the study showed its feature maps (before it, Zeiler and Fergus 2014). They are outputs of `classifier_explain`: the
strongest channels of each layer, those with the largest mean absolute value in this image. They show what the network
looks at, not what speaks for PNEUMONIA.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.types import Answer, Explainer, ExplainOptions, Layer, LayersFinding, Question, Subject
from serving.backend import BackendProtocolError

_MODEL, _FEATURES = "classifier_explain", "features"


@dataclass(frozen=True, slots=True)
class PublishedLayer:
    """What was published of a layer: its name, the outputs with its maps and their channels, the end of its colours."""

    name: str
    maps: str
    channels: str
    upper: float


def explain_layers(subject: Subject, _options: ExplainOptions) -> Explainer:
    """Ask for the strongest feature maps of the radiograph, of every published layer; they need not be finite."""
    published = published_layers(subject)
    maps = tuple(layer.maps for layer in published)
    outputs = (*maps, *(layer.channels for layer in published))
    answer = yield Question(_MODEL, (subject.pixels,), outputs, may_be_non_finite=frozenset(maps))
    return LayersFinding(tuple(_layer(layer, answer) for layer in published))


def published_layers(subject: Subject) -> Sequence[PublishedLayer]:
    """Read from the model's release which outputs show which layers, from the earliest to the last.

    Raises
    ------
    BackendProtocolError
        There is no list of layers, or an entry of it is not complete.
    """
    entries = subject.releases[_MODEL].get(_FEATURES)
    layers = [_published(entry) for entry in entries] if isinstance(entries, list) else []
    complete = [layer for layer in layers if layer is not None]
    if not layers or len(complete) < len(layers):
        raise BackendProtocolError(
            f"The release of {_MODEL!r} must hold a list {_FEATURES!r} with `layer`, `output`, `channels` and a "
            "positive number `scale` for each layer: without it, nobody knows what its outputs show. Publish the model "
            "again."
        )
    return complete


def _published(entry: Any) -> PublishedLayer | None:
    if not isinstance(entry, dict):
        return None
    name, maps, channels, upper = (entry.get(key) for key in ("layer", "output", "channels", "scale"))
    if not all(isinstance(each, str) and each for each in (name, maps, channels)):
        return None
    if isinstance(upper, bool) or not isinstance(upper, int | float) or not 0 < upper < math.inf:
        return None
    return PublishedLayer(str(name), str(maps), str(channels), float(upper))


def _layer(published: PublishedLayer, answer: Answer) -> Layer:
    maps, channels = answer[published.maps], answer[published.channels]
    if maps.ndim != 4 or channels.shape != maps.shape[:2]:
        raise BackendProtocolError(
            f"{published.maps!r} of {_MODEL!r} must be of shape [n, k, h, w], and {published.channels!r} [n, k]. "
            f"Received: {maps.shape} and {channels.shape}"
        )
    numbers = tuple(int(channel) for channel in channels[0])
    return Layer(published.name, np.asarray(maps[0], np.float32), numbers, published.upper)
