"""The study's gradient method: the first kernel of a shallow network, read as one weight per pixel."""

import numpy as np
from numpy.typing import NDArray

from api.explain.regions import enclose
from api.types import Explainer, ExplainOptions, GradientFinding, Question, Subject

_MODEL, _OUTPUT = "pixel_importance", "importance"


def explain_gradient(subject: Subject, options: ExplainOptions) -> Explainer:
    """Ask the pixel importance model, then keep the dominant pixels."""
    answer = yield Question(_MODEL, (subject.study,), (_OUTPUT,))
    return select_dominant_pixels(np.asarray(answer[_OUTPUT][0], dtype=np.float32), options.threshold)


def select_dominant_pixels(importance: NDArray[np.float32], threshold: float) -> GradientFinding:
    """Stretch a map of importance to 0..1 and mark what reaches the threshold.

    This is the one map that is stretched per image, as in the study, so its colours cannot be compared across
    images; `raw_range` keeps what was stretched.

    Parameters
    ----------
    importance
        Grey level times pixel weight, shape ``[h, w]``, finite.
    threshold
        Smallest stretched importance that is shown, 0.5 to 1.

    Returns
    -------
    The finding. A constant map says nothing: it becomes zeros, shows no pixel and is flagged.
    """
    lowest, highest = float(importance.min()), float(importance.max())
    constant = lowest == highest
    stretched = np.zeros_like(importance) if constant else (importance - lowest) / np.float32(highest - lowest)
    shown = stretched >= threshold
    return GradientFinding(
        importance=stretched,
        raw_range=(lowest, highest),
        threshold=threshold,
        shown=shown,
        region=enclose(shown),
        constant=constant,
    )
