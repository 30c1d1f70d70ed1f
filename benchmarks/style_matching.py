"""How well a score tells the labels apart among radiographs of like processing style.

Style alone guesses the label of this data set's files (`export.data.style`). Weights against it are capped, so that
in weighted figures a part of style remains. Here an image is compared only with images of the other label for which
style makes nearly the same guess.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.style import style_features, style_propensity

WIDTH = 0.5  # log-odds of the style's guess by which two images may differ
_RESAMPLES = 1000


def style_log_odds(
    images: NDArray[np.uint8],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    further: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Guess the label from style alone, and from `further` features ``[n, k]`` if there are any.

    Returns
    -------
    Log-odds of PNEUMONIA, shape ``[n]``, of images ``[n, h, w]``.
    """
    features = style_features(images)
    features = features if further is None else np.hstack([features, further])
    propensity = style_propensity(features, targets, groups)
    return np.asarray(np.log(propensity / (1 - propensity)))


def matched_auc(
    scores: NDArray[np.float64], targets: NDArray[np.int64], style: NDArray[np.float64], groups: Sequence[str]
) -> tuple[float, float, float]:
    """Give the chance that a PNEUMONIA scores above a NORMAL of like style, with its 95 % interval.

    Parameters
    ----------
    scores
        Rising with PNEUMONIA, shape ``[n]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    style
        Of `style_log_odds`, shape ``[n]``.
    groups
        Who each image is of; the interval is made by drawing groups, not images.
    """
    sick, well = np.flatnonzero(targets == 1), np.flatnonzero(targets == 0)
    alike = (np.abs(np.subtract.outer(style[sick], style[well])) <= WIDTH).astype(np.float64)
    difference = np.sign(np.subtract.outer(scores[sick], scores[well]))
    above = alike * (difference + 1) / 2
    names, membership = np.unique(np.asarray(groups), return_inverse=True)
    generator = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.bincount(generator.integers(0, len(names), len(names)), minlength=len(names))[membership]
        pairs = drawn[sick] @ alike @ drawn[well]
        if pairs > 0:
            values.append(drawn[sick] @ above @ drawn[well] / pairs)
    lower, upper = np.quantile(values, [0.025, 0.975])
    return float(above.sum() / alike.sum()), float(lower), float(upper)
