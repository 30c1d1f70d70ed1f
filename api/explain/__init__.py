"""Explanations: one file per method, pure functions on arrays.

A method is a function from the radiograph at the study's resolution and the client's options to a generator. If it
needs inference, it yields a `Question` and is sent the `Answer`; it returns its finding. Only the pipeline
talks to the model server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.explain.gradient import explain_gradient
from api.explain.silhouette import explain_silhouette
from api.types import Explainer, ExplainOptions

STUDY_SIZE = 128


@dataclass(frozen=True, slots=True)
class Method:
    """A way to explain. `models` names what it needs besides the classifier."""

    explain: Callable[[NDArray[np.uint8], ExplainOptions], Explainer]
    models: tuple[str, ...] = ()


METHODS: Mapping[str, Method] = {
    "silhouette": Method(explain_silhouette),
    "gradient": Method(explain_gradient, models=("pixel_importance",)),
}
DEFAULT_METHODS = ("silhouette", "gradient")
