"""Maps that the served graph computes beside its answer: asked for, placed on their published scale, measured.

They are outputs of `classifier_explain`, the classifier's own weights with its gradients as further outputs. All are
taken on the calibrated log-odds of PNEUMONIA. Their colours run from 0 to an upper end that was published with the
model, and are never stretched per image: the same colour means the same number on every radiograph.
"""

import math
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.explain.regions import enclose
from api.types import Answer, MapFinding, MapScale, MapUnit, Question, Subject
from serving.backend import BackendProtocolError

MODEL = "classifier_explain"
_SCALES = "map_scales"


def ask_for_map(subject: Subject, output: str) -> Generator[Question, Answer, NDArray[np.float32]]:
    """Ask for one map of the radiograph, ``[h, w]``, as the model gives it; it need not be finite."""
    answer = yield Question(MODEL, (subject.pixels,), (output,), may_be_non_finite=frozenset((output,)))
    return np.asarray(answer[output][0], dtype=np.float32)


def published_scale(subject: Subject, output: str, unit: MapUnit) -> MapScale:
    """Read the scale of a map from the model's release, where `map_scales` gives the upper end of each.

    Raises
    ------
    BackendProtocolError
        There is none, or it is no positive finite number.
    """
    upper = _upper_end(subject.releases[MODEL].get(_SCALES), output)
    if upper is None:
        raise BackendProtocolError(
            f"The release of {MODEL!r} must hold {_SCALES!r} with a positive number {output!r}: "
            "without it, the colours of this map have no meaning. Publish the model again."
        )
    return MapScale(upper, unit)


def _upper_end(scales: Any, output: str) -> float | None:
    upper = scales.get(output) if isinstance(scales, dict) else None
    if isinstance(upper, bool) or not isinstance(upper, int | float):
        return None
    return float(upper) if 0 < upper < math.inf else None


def measure_map(
    values: NDArray[np.float32], scale: MapScale, threshold: float, *, pixelwise: bool = False
) -> MapFinding:
    """Mark where a map is strongest.

    Parameters
    ----------
    values
        Shape ``[h, w]``, not negative, in the unit of the scale.
    scale
        For the colours alone: what is marked depends on the map itself.
    threshold
        Share of the map's maximum from which a value counts as one of the strongest, 0.5 to 1.
    pixelwise
        Whether each value belongs to one pixel of the image.

    Returns
    -------
    The finding. In a map that is the same everywhere, or that holds a value that is no number, nothing is marked.

    Raises
    ------
    BackendProtocolError
        A value is negative.
    """
    finite = bool(np.isfinite(values).all())
    if finite and values.min() < 0:
        raise BackendProtocolError(f"The maps of {MODEL!r} must not be negative, `saliency` apart.")
    constant = finite and bool(values.min() == values.max())
    if finite and not constant:
        strongest = values >= np.float32(threshold) * values.max()
    else:
        strongest = np.zeros(values.shape, np.bool_)
    return MapFinding(
        values=values,
        scale=scale,
        threshold=threshold,
        strongest=strongest,
        region=enclose(strongest),
        constant=constant,
        non_finite=not finite,
        pixelwise=pixelwise,
    )
