"""From marked pixels to the box around them."""

import numpy as np
from numpy.typing import NDArray

from api.types import RelativeBox


def enclose(marked: NDArray[np.bool_]) -> RelativeBox | None:
    """Give the smallest box around the marked pixels of a map ``[h, w]``; None if there are none."""
    if not marked.any():
        return None
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    height, width = marked.shape
    return RelativeBox(
        left=float(columns[0] / width),
        top=float(rows[0] / height),
        right=float((columns[-1] + 1) / width),
        bottom=float((rows[-1] + 1) / height),
    )
