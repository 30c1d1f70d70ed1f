"""The limits within which the mask of a chest radiograph lies, for the gateway's input gate."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from api.quality import mask_evidence

_LEFT_OUT = 0.005  # on each side: a data set of thousands holds some radiographs whose masks are wrong
_SLACK = 0.1


def fit_plausible_lungs(masks: Sequence[NDArray[np.floating]]) -> Mapping[str, float | list[float]]:
    """Find the limits from the masks of real chest radiographs.

    Parameters
    ----------
    masks
        As the segmenter answers them, each ``[H, W]``, 0 to 1.

    Returns
    -------
    `area`, lowest and highest, and `uncertainty`, highest, both as `mask_evidence` measures them: the 0.5 and 99.5
    percentiles, moved outwards by a tenth of themselves.
    """
    areas, uncertainties = np.array([mask_evidence(mask) for mask in masks]).T
    lowest, highest = np.quantile(areas, [_LEFT_OUT, 1 - _LEFT_OUT]) * (1 - _SLACK, 1 + _SLACK)
    uncertainty = np.quantile(uncertainties, 1 - _LEFT_OUT) * (1 + _SLACK)
    return {
        "area": [round(float(lowest), 4), round(min(float(highest), 1.0), 4)],
        "uncertainty": round(float(uncertainty), 4),
    }
