"""What the model server says of its models: which ones answer, their sizes and what was published with them."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

from api.types import ModelIdentity
from serving.backend import BackendProtocolError, BackendUnavailable, InferenceBackend, ModelSpec

CLASSIFIER = "classifier"
LUNG_SEGMENTER = "lung_segmenter"
IMAGE = "image"
_MAX_AGE_S = 10.0
# Outputs that the gateway reads, and their dimensions after the batch; section 5 of the model contract.
_OUTPUT_DIMENSIONS: Mapping[str, Mapping[str, int]] = {
    CLASSIFIER: {"probabilities": 1},
    LUNG_SEGMENTER: {"mask": 2},
    "pixel_importance": {"importance": 2},
}
# The same for outputs that an older version may lack.
_LATER_OUTPUT_DIMENSIONS: Mapping[str, Mapping[str, int]] = {CLASSIFIER: {"ood_score": 1, "presentation": 1}}


class ModelCatalogue:
    """The model server's own description of its models, asked for again when it is some seconds old.

    Sizes, labels and thresholds always come from here, so a newly published model needs no new gateway.
    """

    def __init__(self, backend: InferenceBackend) -> None:
        self._backend = backend
        self._models: Mapping[str, ModelSpec] = {}
        self._read_at = -math.inf
        self._lock = asyncio.Lock()

    async def find(self, name: str) -> ModelSpec:
        """Find a model that answers.

        Raises
        ------
        BackendUnavailable
            The model server is away, or has no such model ready.
        BackendProtocolError
            The model is not of the form that the model contract has.
        """
        models = await self.all()
        if name not in models:
            self.forget()
            raise BackendUnavailable(f"Model {name!r} must be ready. Received: {sorted(models)}")
        _check_contract(models[name])
        return models[name]

    async def all(self) -> Mapping[str, ModelSpec]:
        """Every model that answers, by name.

        Raises
        ------
        BackendUnavailable, BackendTimeout
        """
        async with self._lock:
            if time.monotonic() - self._read_at > _MAX_AGE_S:
                self._models = {model.name: model for model in await self._backend.models()}
                self._read_at = time.monotonic()
            return self._models

    def forget(self) -> None:
        """Ask the model server anew next time."""
        self._read_at = -math.inf


def _check_contract(model: ModelSpec) -> None:
    """Refuse a model before its answers are misread: once here, and in `/readyz`, instead of in every request."""
    input_size(model)
    shapes = {output.name: output.shape for output in model.outputs}
    later = {n: d for n, d in _LATER_OUTPUT_DIMENSIONS.get(model.name, {}).items() if n in shapes}
    for name, dimensions in {**_OUTPUT_DIMENSIONS.get(model.name, {}), **later}.items():
        if len(shapes.get(name, ())) != dimensions:
            raise BackendProtocolError(
                f"Output {name!r} of {model.name!r} must have {dimensions} dimensions. Received: {shapes}"
            )


def identity(model: ModelSpec) -> ModelIdentity:
    """Give name, version and architecture of a model."""
    return ModelIdentity(model.name, model.version, str(model.release.get("architecture", "unknown")))


def input_size(model: ModelSpec) -> tuple[int, int]:
    """Height and width in pixels of a model's `image`.

    Raises
    ------
    BackendProtocolError
        The model does not take a grey image.
    """
    shape = model.input(IMAGE).shape
    if len(shape) != 3 or shape[2] != 1 or min(shape) < 1:
        raise BackendProtocolError(f"`image` of {model.name!r} must be of shape [H, W, 1]. Received: shape={shape}")
    return shape[0], shape[1]


def takes_radiographs(model: ModelSpec) -> bool:
    """Tell whether a model is one of ours: a model server may hold other people's models as well."""
    return any(spec.name == IMAGE and len(spec.shape) == 3 for spec in model.inputs)


def evaluation(model: ModelSpec) -> Mapping[str, Any] | None:
    """Give the evaluation figures that were published with a model, or None."""
    figures = model.release.get("evaluation")
    return figures if isinstance(figures, Mapping) else None
