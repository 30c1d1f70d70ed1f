"""The study's silhouette rule: the whiter half, and in it the whiter quadrant, has lost its silhouette.

Known weaknesses, kept on purpose because this rule is the study's: white noise outside the lungs counts, and there are
only four boxes. A bright half is no evidence of the radiological silhouette sign. On request the method looks at finer
grids, and at the lungs alone (`api.explain.silhouette_grid`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from api.errors import NotReady
from api.explain.borders import measure_borders
from api.explain.evidence import resize
from api.explain.silhouette_grid import rank_frame, rank_lungs
from api.types import Explainer, ExplainOptions, RelativeBox, SilhouetteFinding, SilhouetteGridFinding, Subject

_TOP, _MIDDLE, _BOTTOM = 20, 64, 110  # rows of the 128-row image: shoulders and abdomen are left out
_LUNG = 0.5  # of the segmenter's probability
_DEFAULT_GRID = 4
_VERTICAL = {"upper": (0.0, 0.5), "lower": (0.5, 1.0)}
_HORIZONTAL = {"left": (0.0, 0.5), "right": (0.5, 1.0)}


def explain_silhouette(subject: Subject, options: ExplainOptions) -> Explainer:
    """Apply the study's rule, or rank the regions of a grid if the options ask for one; no model is asked.

    Raises
    ------
    NotReady
        The lungs are asked for, and the models cannot tell where they are.
    """
    yield from ()
    if options.lungs:
        return locate_in_lungs(subject, options.regions or _DEFAULT_GRID)
    if options.regions:
        return rank_frame(subject.study, options.regions)
    return locate_silhouette(subject.study)


def locate_in_lungs(subject: Subject, count: int) -> SilhouetteGridFinding:
    """Rank the regions of a grid on the lungs, and measure the borders of heart and diaphragm.

    All at the resolution at which the classifier sees the radiograph; the segmenter's mask is brought to it.

    Raises
    ------
    NotReady
        The models cannot tell where the lungs are.
    """
    if subject.lungs is None:
        raise NotReady("`lungs=true` needs the model `lung_segmenter`, which is not served. Ask without it.")
    lungs = resize(subject.lungs, subject.seen.shape) >= _LUNG
    finding = rank_lungs(subject.seen, lungs, count)
    return replace(finding, borders=measure_borders(subject.seen, lungs)) if finding.winner else finding


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
