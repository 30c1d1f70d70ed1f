"""The models of a repository, asked the questions that the gateway's methods ask, without a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from api.catalogue import CLASSIFIER, CLASSIFIER_EXPLAIN, IMAGE, input_size
from api.imaging.preprocess import to_model_inputs
from api.types import Answer, Question
from serving.backend import ModelSpec
from serving.repository import read_repository

LOGITS = "logits"
_BATCH = 32


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What was published of a model, and the session that runs it. `file` is where it lies."""

    spec: ModelSpec
    session: onnxruntime.InferenceSession
    file: Path


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Answers questions as the gateway with its embedded backend does, one after the other."""

    models: Mapping[str, ModelFile]

    def ask(self, question: Question) -> Answer:
        """Answer one question, in one batch."""
        model = self.models[question.model]
        size = input_size(model.spec)
        batch = to_model_inputs(question.images, [size])[size]
        return dict(zip(question.outputs, _run(model.session, question.outputs, batch), strict=True))

    def log_odds(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Judge images that are already of the classifier's size: log-odds of PNEUMONIA ``[n]`` of ``[n, h, w]``."""
        starts = range(0, len(images), _BATCH)
        session = self.models[CLASSIFIER].session
        logits = [_run(session, (LOGITS,), images[start : start + _BATCH, ..., np.newaxis])[0] for start in starts]
        both = np.concatenate(logits).astype(np.float64)
        return np.asarray(both[:, 1] - both[:, 0])

    def with_networks(self, classifier: bytes, explaining: bytes) -> "ModelFiles":
        """Put other networks in the place of the classifier and of the one that explains it."""
        files = {CLASSIFIER: classifier, CLASSIFIER_EXPLAIN: explaining}
        replaced = {
            name: ModelFile(self.models[name].spec, _session(content), Path()) for name, content in files.items()
        }
        return ModelFiles({**self.models, **replaced})


def open_models(repository: Path) -> ModelFiles:
    """Load every model of a repository.

    Raises
    ------
    RepositoryError
        The repository cannot be read.
    ValueError
        `classifier_explain` is missing, or was made from another classifier than the one that answers.
    """
    published = {model.spec.name: model for model in read_repository(repository)}
    made_from = (
        published[CLASSIFIER_EXPLAIN].spec.release["classifier_sha256"] if CLASSIFIER_EXPLAIN in published else None
    )
    answering = published[CLASSIFIER].spec.release["sha256"] if CLASSIFIER in published else None
    if made_from is None or made_from != answering:
        raise ValueError(
            f"The repository must hold {CLASSIFIER!r} and {CLASSIFIER_EXPLAIN!r} made from it: publish both. "
            f"Received: {answering} and {made_from}"
        )
    return ModelFiles(
        {
            name: ModelFile(model.spec, _session(model.onnx_file.read_bytes()), model.onnx_file)
            for name, model in published.items()
        }
    )


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Idle threads that spin would take the cores from the session that works.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], batch: NDArray[np.uint8]
) -> Sequence[NDArray[np.floating]]:
    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    answer: Sequence[NDArray[np.floating]] = session.run(list(outputs), {IMAGE: batch}, options)
    return answer
