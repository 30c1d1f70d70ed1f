"""What explanations look at, and what they ask of models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Subject:
    """What an explanation is made of; all methods of a request look at the same one.

    `pixels` is the radiograph as sent, `study` its direct shrink to the study's 128 x 128 pixels, `seen` what the
    classifier sees of it: grey levels, ``[rows, columns]``, 0 (black) to 255. `lungs` is the lung segmenter's mask of
    the whole frame at its own resolution, 0 to 1; None if the models cannot tell. `releases` holds what was published
    with the models that the methods name, by model.
    """

    pixels: NDArray[np.uint8]
    study: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    lungs: NDArray[np.float32] | None
    releases: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """Images that are to be judged by a model, in one batch.

    `images` are grey levels, each ``[rows, columns]``; whoever asks the model resizes them to its input. Methods that
    ask about the same arrays share one inference. An answer that is not finite is an error, except in the outputs named
    by `may_be_non_finite`, of which whoever asks takes care.
    """

    model: str
    images: Sequence[NDArray[np.uint8]]
    outputs: tuple[str, ...]
    may_be_non_finite: frozenset[str] = frozenset()


Answer: TypeAlias = Mapping[str, NDArray[np.floating]]
