"""What the gateway asks of a model server, whichever it is.

BackendError
├── BackendUnavailable      away, still loading, or full; trying again later can help
├── BackendTimeout          no answer before the deadline
└── BackendProtocolError    the answer does not match what the model declares
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]


class BackendError(Exception):
    """Base of every error that a backend raises. Messages are for operators and stay out of answers."""


class BackendUnavailable(BackendError):
    """The model server is away, is still loading the model, or its queue is full."""


class BackendTimeout(BackendError):
    """The model server did not answer before the deadline."""


class BackendProtocolError(BackendError):
    """The model server answered something that the model's declaration does not allow."""


class Priority(IntEnum):
    """Priority levels of the model server's queue: predictions overtake explanations."""

    PREDICTION = 1
    EXPLANATION = 2


@dataclass(frozen=True, slots=True)
class Correlation:
    """What ties a request to those of other systems, handed on to the model server; empty where there is none.

    `traceparent` and `tracestate` are as the W3C recommendation "Trace Context" has them.
    """

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""

    @property
    def trace_id(self) -> str:
        """The second field of `traceparent`: 32 hexadecimal digits, the same in all systems that a request passes."""
        return self.traceparent[3:35]


UNRELATED = Correlation()


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    `shape` is without the batch dimension; -1 stands for a size that may vary. `dtype` is numpy's name.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model server declares about one version of a model.

    `release` is what the export pipeline recorded when it published this version (architecture, labels, decision
    threshold, evaluation and so on), as parsed JSON.
    """

    name: str
    version: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    release: Mapping[str, Any] = field(default_factory=dict)

    def input(self, name: str) -> TensorSpec:
        """Find an input by name.

        Raises
        ------
        BackendProtocolError
            The model has no such input.
        """
        return _named(self.inputs, name, self.name)


def _named(specs: Sequence[TensorSpec], name: str, model: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    raise BackendProtocolError(f"Model {model!r} must have a tensor {name!r}. Received: {[s.name for s in specs]}")


class InferenceBackend(Protocol):
    """A model server as the gateway sees it. Every implementation passes `tests/contract`."""

    async def models(self) -> Sequence[ModelSpec]:
        """Describe every model that answers, sorted by name, each at the version it serves.

        Raises
        ------
        BackendUnavailable, BackendTimeout
        """
        ...

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
        correlation: Correlation = UNRELATED,
    ) -> dict[str, Tensor]:
        """Run a model on one batch.

        Parameters
        ----------
        model
            The model and the version to run.
        inputs
            Every input of the model, shape ``[n, *spec.shape]``, 1 <= n <= `max_batch_size`.
        outputs
            Names of the outputs wanted.
        timeout
            Seconds until the answer is no longer wanted.
        priority
            Which requests overtake which in the server's queue.
        correlation
            Handed on, for the server's own logs and traces.

        Returns
        -------
        The wanted outputs, each ``[n, *spec.shape]``.

        Raises
        ------
        ValueError
            The inputs do not match the model's declaration.
        BackendUnavailable, BackendTimeout, BackendProtocolError
        """
        ...

    async def close(self) -> None:
        """Let go of connections, sessions and threads. Idempotent."""
        ...
