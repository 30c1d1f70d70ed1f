"""Training copies with a region hidden, so that masking explanations later stay within what the model has seen.

How such a copy is labelled is the question. ``keep`` hides only regions too small to hide the disease, and keeps the
label. ``weak`` hides halves, quadrants and random regions, and labels a pneumonia by the share of a first model's class
activation that stays visible: the label of a hidden disease must fall, or the network learns to answer PNEUMONIA
without seeing it, and masking explains nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LABEL_RULES = ("keep", "weak")
_SMALL = 0.2  # of a side: 4 % of the image


@dataclass(frozen=True, slots=True)
class MaskAugmentation:
    """Which label rule, and for which share of the images. `activation_run` is the run of the first model (`weak`)."""

    rule: str
    share: float = 0.25
    activation_run: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule that does not exist, or one that lacks its first model."""
        if self.rule not in LABEL_RULES or (self.rule == "weak") != bool(self.activation_run):
            raise ValueError(
                f"The rule must be one of {LABEL_RULES}; `weak`, and it alone, needs a run with a first model. "
                f"Received: rule={self.rule}, activation_run={self.activation_run!r}"
            )


def hide_region(
    image: NDArray[np.uint8], rule: str, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Hide a random region of an image.

    Parameters
    ----------
    image
        Grey levels, shape ``[h, w]``, 0 to 255.
    rule
        ``keep`` hides one to three small rectangles; ``weak`` a half, a quadrant or up to three larger rectangles.
    generator
        Source of all chance.

    Returns
    -------
    The image with the region filled by black, its mean or a blurred copy, and what is hidden, shape ``[h, w]``.
    """
    regions = (_small_rectangles,) if rule == "keep" else (_half, _quadrant, _rectangles)
    hidden = regions[generator.integers(len(regions))](image.shape, generator)
    fills = (np.zeros_like, _mean, _blurred)
    return np.where(hidden, fills[generator.integers(len(fills))](image), image), hidden


def visible_share(activation: NDArray[np.float32], hidden: NDArray[np.bool_]) -> float:
    """Share of a class activation map ``[gh, gw]``, not negative, that lies outside what is hidden ``[h, w]``.

    1 for a map of zeros: a pneumonia that the first model does not see anywhere cannot be hidden from it.
    """
    total = float(activation.sum())
    if total <= 0:
        return 1.0
    rows, columns = activation.shape
    shares = Image.fromarray(hidden.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX)
    return float((activation * (1 - np.asarray(shares))).sum() / total)


def _half(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.bool_]:
    hidden = np.zeros(shape, dtype=bool)
    axis, side = generator.integers(2, size=2)
    middle = shape[axis] // 2
    np.moveaxis(hidden, axis, 0)[slice(0, middle) if side else slice(middle, None)] = True
    return hidden


def _quadrant(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.bool_]:
    hidden = np.zeros(shape, dtype=bool)
    rows, columns = (slice(0, n // 2) if generator.integers(2) else slice(n // 2, None) for n in shape)
    hidden[rows, columns] = True
    return hidden


def _rectangles(shape: tuple[int, ...], generator: np.random.Generator, largest: float = 0.5) -> NDArray[np.bool_]:
    hidden = np.zeros(shape, dtype=bool)
    for _ in range(generator.integers(1, 4)):
        sides = [max(1, int(n * generator.uniform(largest / 3, largest))) for n in shape]
        starts = [int(generator.integers(0, n - side + 1)) for n, side in zip(shape, sides, strict=True)]
        hidden[tuple(slice(a, a + side) for a, side in zip(starts, sides, strict=True))] = True
    return hidden


def _small_rectangles(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.bool_]:
    return _rectangles(shape, generator, largest=_SMALL)


def _mean(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full_like(image, round(float(image.mean())))


def _blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    coarse = Image.fromarray(image).resize((8, 8), Image.Resampling.BOX)
    return np.asarray(coarse.resize(image.shape[::-1], Image.Resampling.BICUBIC))
