"""The processing style of a radiograph, and weights that make it independent of the label.

In the training split the label can be guessed with an AUC of 0.97 from how sharp and how bright a file is, without
looking at a lung: most normals went through an edge-enhancing filter, most pneumonias did not. The normals of the
official val and test splits look like the pneumonias of the training split in this respect, and a network that has
learnt the style overcalls them. Weighting each image by P(label) / P(label | style) takes the style's information
away, in training as well as in calibration and figures (inverse propensity weighting; for nuisances of images see
Puli et al. 2022, "Out-of-distribution generalization in the presence of nuisance-induced spurious correlations").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_BAND_EDGES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.16, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50)  # cycles per pixel
_FRAME_ROWS, _FRAME_COLUMNS = 0.134, 0.071  # shares of the sides: the top strip and both margins, outside the lungs
_LARGEST_WEIGHT = 8.0
_GROUPS = 5


def style_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Describe how images were processed, not what they show.

    Parameters
    ----------
    images
        Grey levels, shape ``[n, h, w]`` with ``h == w``, 0 to 255.

    Returns
    -------
    Shape ``[n, 23]``: how the power spectrum falls from band to band, percentiles of the margins and of the frame,
    mean and standard deviation.
    """
    size = images.shape[1]
    window = np.outer(np.hanning(size), np.hanning(size))
    radius = np.hypot(fft.fftfreq(size)[:, np.newaxis], fft.rfftfreq(size)[np.newaxis])
    bands = np.digitize(radius, _BAND_EDGES).ravel()
    return np.array([_describe(image.astype(np.float64), window, bands) for image in images])


def _describe(image: NDArray[np.float64], window: NDArray[np.float64], bands: NDArray[np.int64]) -> list[float]:
    power = np.square(np.abs(fft.rfft2((image - image.mean()) * window)))
    per_band = np.bincount(bands, power.ravel(), minlength=len(_BAND_EDGES) + 1)[1:-1]
    rows, columns = round(_FRAME_ROWS * image.shape[0]), round(_FRAME_COLUMNS * image.shape[1])
    margins = np.concatenate([part.ravel() for part in (image[:rows], image[:, :columns], image[:, -columns:])])
    return [
        *np.diff(np.log(per_band + 1)),
        *np.percentile(margins, [5, 25, 50, 75, 95]),
        *np.percentile(image, [1, 5, 95, 99]),
        float(image.mean()),
        float(image.std()),
    ]


def style_weights(
    features: NDArray[np.float64], targets: NDArray[np.int64], groups: Sequence[str]
) -> NDArray[np.float64]:
    """Weigh images so that style says nothing about the label.

    Parameters
    ----------
    features
        Of `style_features`, shape ``[n, k]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    groups
        Who each image is of: nobody's style is judged by a model that has seen their own images.

    Returns
    -------
    P(label) / P(label | style), shape ``[n]``, at most 8, with mean 1 in each class.
    """
    propensity = style_propensity(features, targets, groups)
    share = targets.mean()
    weights = np.where(targets == 1, share / propensity, (1 - share) / (1 - propensity))
    weights = np.minimum(weights, _LARGEST_WEIGHT)
    for target in (0, 1):
        weights[targets == target] /= weights[targets == target].mean()
    return np.asarray(weights)


def style_propensity(
    features: NDArray[np.float64], targets: NDArray[np.int64], groups: Sequence[str]
) -> NDArray[np.float64]:
    """Guess P(PNEUMONIA) from style alone, each person by a model fitted to the others, shape ``[n]``."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = GroupKFold(_GROUPS)
    guessed = cross_val_predict(model, features, targets, groups=groups, cv=folds, method="predict_proba")
    return np.clip(np.asarray(guessed)[:, 1], 1e-4, 1 - 1e-4)
