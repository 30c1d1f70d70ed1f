"""What the model server says of its models: which ones answer, their sizes and what was published with them."""

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from api.errors import NotReady
from api.types import ModelIdentity, ModelRecord
from serving.backend import BackendProtocolError, BackendUnavailable, InferenceBackend, ModelSpec

CLASSIFIER = "classifier"
CLASSIFIER_EXPLAIN = "classifier_explain"
LUNG_SEGMENTER = "lung_segmenter"
IMAGE = "image"
_MAX_AGE_S = 10.0
# Outputs that the gateway reads, and their dimensions after the batch; section 5 of the model contract.
_OUTPUT_DIMENSIONS: Mapping[str, Mapping[str, int]] = {
    CLASSIFIER: {"probabilities": 1},
    CLASSIFIER_EXPLAIN: {"saliency": 2, "grad_cam": 2, "grad_cam_plus_plus": 2},
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

    async def find_beside(self, classifier: ModelSpec, names: Iterable[str]) -> Mapping[str, ModelSpec]:
        """Find models that are to explain what a classifier answers, by name.

        Raises
        ------
        NotReady
            `classifier_explain` was made from another classifier.
        BackendUnavailable, BackendProtocolError
            As for `find`.
        """
        models = {name: classifier if name == classifier.name else await self.find(name) for name in names}
        if CLASSIFIER_EXPLAIN in models and not _same_classifier(models[CLASSIFIER_EXPLAIN], classifier):
            self.forget()  # while a new version is rolled out, this passes
            raise NotReady(
                f"{CLASSIFIER_EXPLAIN!r} must be made from the version of {CLASSIFIER!r} that answers, "
                f"{classifier.version}: its maps would explain another model. Publish both together."
            )
        return models

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


def _same_classifier(explaining: ModelSpec, classifier: ModelSpec) -> bool:
    """Tell whether `classifier_explain` was made from this classifier, by the hash in both releases."""
    made_from, served = explaining.release.get("classifier_sha256"), classifier.release.get("sha256")
    if not isinstance(made_from, str) or not isinstance(served, str):
        raise BackendProtocolError(
            f"The releases must hold `classifier_sha256` ({explaining.name!r}) and `sha256` ({classifier.name!r}). "
            f"Received: {made_from!r} and {served!r}"
        )
    return made_from == served


def identity(model: ModelSpec) -> ModelIdentity:
    """Give name, version and architecture of a model."""
    return ModelIdentity(model.name, model.version, str(model.release.get("architecture", "unknown")))


def record(model: ModelSpec) -> ModelRecord:
    """Give name, version and the hash of the file, as published, of a model."""
    sha256 = model.release.get("sha256")
    return ModelRecord(model.name, model.version, sha256 if isinstance(sha256, str) else None)


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
