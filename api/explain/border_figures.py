"""What the sharpness of borders was found to tell: the figures that go with each border in an answer.

Measured by ``python -m benchmarks.borders`` on 1,043 held-out children of the training split, 268 of them NORMAL. The
files' processing gives the label away, and so does the texture of the lungs; the figures are those of radiographs alike
in both. A border is here only if the interval of its AUC lies above 0.5: the heart's on the image's left did not
separate the labels (0.53, 0.42 to 0.64). In 622 adults no border separated them (all four together 0.52, 0.46 to 0.57).
See `docs/explanations.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.types import BorderName, Side


@dataclass(frozen=True, slots=True)
class BorderFigures:
    """How well blurring of a border tells PNEUMONIA, and how sharp it is in normals.

    `auc`, with its 95 % interval, is the chance that of two radiographs alike in processing and texture, the one with
    PNEUMONIA is the less sharp. `normals` pairs sharpness with the share of normals below it, in rising order.
    """

    auc: float
    auc_95: tuple[float, float]
    normals: tuple[tuple[float, float], ...]


FIGURES: Mapping[tuple[BorderName, Side], BorderFigures] = {
    ("heart", "image_right"): BorderFigures(
        0.716,
        (0.624, 0.799),
        ((0.0815, 0), (0.136, 0.05), (0.1659, 0.1), (0.2488, 0.25), (0.2867, 0.5), (0.3205, 0.75), (0.3374, 0.9),
         (0.3954, 1)),
    ),
    ("diaphragm", "image_left"): BorderFigures(
        0.604,
        (0.512, 0.696),
        ((0.1625, 0), (0.2525, 0.05), (0.2782, 0.1), (0.3207, 0.25), (0.3574, 0.5), (0.3957, 0.75), (0.4312, 0.9),
         (0.5691, 1)),
    ),
    ("diaphragm", "image_right"): BorderFigures(
        0.62,
        (0.53, 0.699),
        ((0.0669, 0), (0.1532, 0.05), (0.1659, 0.1), (0.2063, 0.25), (0.2431, 0.5), (0.2817, 0.75), (0.3179, 0.9),
         (0.5579, 1)),
    ),
}  # fmt: skip
