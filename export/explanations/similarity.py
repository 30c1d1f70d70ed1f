"""How alike two maps are: by the order of their cells, and by their structure.

Both are measures of Adebayo et al. 2018 ("Sanity checks for saliency maps", arXiv:1810.03292, section 3).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from export.explanations.cells import cell_means

_WINDOW = 7
_STABILISERS = 0.01**2, 0.03**2  # of Wang et al. 2004, for values in 0..1


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Correlate the order of the cells of two maps ``[h, w]`` (Spearman), -1 to 1; 0 if either says nothing."""
    first, second = (stats.rankdata(np.round(_scaled(values), 9)) for values in (one, other))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def structural_similarity(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Give the mean structural similarity of two maps' cells (Wang et al. 2004, windows of 7 x 7), at most 1.

    Each map is first divided by its largest value: a map has no absolute scale that a change of weights would keep.
    """
    first, second = _scaled(one), _scaled(other)
    mean_1, mean_2 = _local(first), _local(second)
    variance_1, variance_2 = _local(first**2) - mean_1**2, _local(second**2) - mean_2**2
    covariance = _local(first * second) - mean_1 * mean_2
    small, smaller = _STABILISERS[1], _STABILISERS[0]
    luminance = (2 * mean_1 * mean_2 + smaller) / (mean_1**2 + mean_2**2 + smaller)
    structure = (2 * covariance + small) / (variance_1 + variance_2 + small)
    return float((luminance * structure).mean())


def _scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    means = cell_means(values)
    return np.asarray(means / max(float(np.abs(means).max()), np.finfo(np.float64).tiny))


def _local(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.uniform_filter(values, _WINDOW))
