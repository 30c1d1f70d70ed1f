"""The study's silhouette rule: the whiter half, and in it the whiter quadrant, has lost its silhouette.

Known weaknesses, kept on purpose because this method is the study's: white noise outside the lungs counts, and
there are only four boxes. A bright half is no evidence of the radiological silhouette sign.
"""

import numpy as np
from numpy.typing import NDArray

from api.types import Explainer, ExplainOptions, RelativeBox, SilhouetteFinding, Subject

_TOP, _MIDDLE, _BOTTOM = 20, 64, 110  # rows of the 128-row image: shoulders and abdomen are left out
_VERTICAL = {"upper": (0.0, 0.5), "lower": (0.5, 1.0)}
_HORIZONTAL = {"left": (0.0, 0.5), "right": (0.5, 1.0)}


def explain_silhouette(subject: Subject, _options: ExplainOptions) -> Explainer:
    """Offer `locate_silhouette` as an explanation method; it asks the model server nothing."""
    yield from ()
    return locate_silhouette(subject.study)


def locate_silhouette(image: NDArray[np.uint8]) -> SilhouetteFinding:
    """Find the half and the quadrant with the larger sum of grey levels.

    Parameters
    ----------
    image
        Grey levels of the whole frame, shape ``[128, 128]``, 0 to 255.

    Returns
    -------
    The affected half (a tie is left) and its affected quadrant (a tie is upper), the box of that whole quadrant,
    and as scores each half's share of both halves and each quadrant's share of its half (0.5 where both are black).
    `left` is the viewer's left: in a standard frontal view, the patient's right.

    Raises
    ------
    ValueError
        The image is not 128 x 128.
    """
    if image.shape != (128, 128):
        raise ValueError(f"The image must be of shape (128, 128). Received: shape={image.shape}")
    columns = image.astype(np.int64)
    left, right = columns[_TOP:_BOTTOM, :64].sum(), columns[_TOP:_BOTTOM, 64:].sum()
    side = "left" if left >= right else "right"
    affected = columns[:, :64] if side == "left" else columns[:, 64:]
    upper, lower = affected[_TOP:_MIDDLE].sum(), affected[_MIDDLE:_BOTTOM].sum()
    zone = "upper" if upper >= lower else "lower"
    return SilhouetteFinding(
        half=f"image_{side}",
        quadrant=f"image_{zone}_{side}",
        region=_quadrant(zone, side),
        scores={
            "image_left": _share(left, right),
            "image_right": 1 - _share(left, right),
            f"image_upper_{side}": _share(upper, lower),
            f"image_lower_{side}": 1 - _share(upper, lower),
        },
    )


def _share(part: np.int64, other: np.int64) -> float:
    total = int(part) + int(other)
    return int(part) / total if total else 0.5


def _quadrant(zone: str, side: str) -> RelativeBox:
    (top, bottom), (left, right) = _VERTICAL[zone], _HORIZONTAL[side]
    return RelativeBox(left=left, top=top, right=right, bottom=bottom)
