"""Random changes of a radiograph together with its lung mask.

Geometry moves both by the same affine map; intensity changes the radiograph alone, widely, since the network meets
adults and other hospitals' processing. No flips: the heart is on one side.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from api.imaging.preprocess import resize_antialiased
from export.data.augmentation import GeometryRange, random_affine, warp


@dataclass(frozen=True, slots=True)
class LungAugmentation(GeometryRange):
    """Largest deviation of each change.

    `gamma` and `contrast` are natural logarithms; `equalization`, `blur` and `noise` are drawn for `share` of the
    images: how far towards a flat histogram, radius in pixels, standard deviation in grey levels.
    """

    rotation: float = 15.0
    shift: float = 0.08
    zoom: float = 0.22
    stretch: float = 0.12
    gamma: float = 0.6
    contrast: float = 0.5
    brightness: float = 0.15
    shading: float = 0.3
    equalization: float = 1.0
    blur: float = 1.5
    noise: float = 12.0
    share: float = 0.3


def augment_pair(
    radiograph: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    limits: LungAugmentation,
    generator: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Change a radiograph and its mask.

    Parameters
    ----------
    radiograph, mask
        Shape ``[s, s]``, 0 to 255; 255 in `mask` is lung.
    limits
        How far to go.
    generator
        Decides.

    Returns
    -------
    Both, of the same shape and range; the mask is soft at its edges. What comes from outside the frame is 0.
    """
    transform = random_affine(radiograph.shape[0], limits, generator)
    moved, moved_mask = (warp(pixels, transform) for pixels in (radiograph, mask))
    return change_intensity(moved, limits, generator), moved_mask


def change_intensity(
    radiograph: NDArray[np.uint8], limits: LungAugmentation, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Change blur, histogram, gamma, contrast, brightness and shading, and add noise. Shape and range stay."""
    levels = _equalize(_blur(radiograph, limits, generator), limits, generator)
    gamma, contrast = (math.exp(generator.uniform(-limit, limit)) for limit in (limits.gamma, limits.contrast))
    levels = levels ** np.float32(gamma)
    mean = levels.mean()
    levels = (levels - mean) * contrast + mean + generator.uniform(-limits.brightness, limits.brightness)
    levels = levels * _shading(levels.shape, limits, generator)
    if generator.random() < limits.share:
        levels = levels + generator.normal(0, generator.uniform(0, limits.noise) / 255, levels.shape)
    return np.asarray(np.clip(levels * 255 + 0.5, 0, 255), dtype=np.uint8)


def shrink(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink to the network's input as the gateway does, ``[size, size]``."""
    return resize_antialiased(pixels, size, size)


def _blur(radiograph: NDArray[np.uint8], limits: LungAugmentation, generator: np.random.Generator) -> NDArray[np.uint8]:
    if generator.random() >= limits.share:
        return radiograph
    radius = generator.uniform(0, limits.blur)
    return np.asarray(Image.fromarray(radiograph).filter(ImageFilter.GaussianBlur(radius)))


def _equalize(
    radiograph: NDArray[np.uint8], limits: LungAugmentation, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Scale to 0..1 and go part of the way to a flat histogram, which is where other makers' enhancement leads."""
    levels = radiograph.astype(np.float32) / np.float32(255)
    if generator.random() >= limits.share:
        return levels
    flat = np.cumsum(np.bincount(radiograph.ravel(), minlength=256)) / radiograph.size
    weight = np.float32(generator.uniform(0, limits.equalization))
    return (1 - weight) * levels + weight * flat.astype(np.float32)[radiograph]


def _shading(shape: tuple[int, ...], limits: LungAugmentation, generator: np.random.Generator) -> NDArray[np.float32]:
    """Make a ramp across the frame, about 1, as an uneven exposure gives."""
    down, across = generator.uniform(-limits.shading, limits.shading, 2)
    rows, columns = np.linspace(-1, 1, shape[0])[:, np.newaxis], np.linspace(-1, 1, shape[1])
    return np.asarray(1 + (down * rows + across * columns) / 2, dtype=np.float32)
