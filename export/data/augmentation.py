"""Random changes of training images that a real radiograph could show, in numpy and Pillow.

No flips unless asked for: a horizontal flip moves the heart to the wrong side, a vertical one is anatomically
impossible.
"""

import math
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
_FINE_DETAIL = 0.08  # cycles per pixel: above it lies what sharpening and smoothing filters of a scanner change
_LARGEST_GAIN = 2.0
_BANDS_PER_CYCLE = 32


@dataclass(frozen=True, slots=True)
class GeometryRange:
    """Largest deviation of position and shape: degrees, then shares of the image size."""

    rotation: float = 8.0
    shift: float = 0.06
    zoom: float = 0.12
    stretch: float = 0.06


@dataclass(frozen=True, slots=True)
class AugmentationRange(GeometryRange):
    """Largest deviation of each change, and how likely the others are.

    `contrast`, `brightness` and `gamma` are shares of the grey range or exponents; `style`, `jpeg`, `resample` and
    `horizontal_flip` are probabilities.
    """

    contrast: float = 0.25
    brightness: float = 0.12
    gamma: float = 0.30
    style: float = 0.0
    jpeg: float = 0.0
    resample: float = 0.0
    horizontal_flip: float = 0.0


def augment(
    image: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    limits: AugmentationRange,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Change one image by random geometry, style, intensity and compression.

    Parameters
    ----------
    image
        Grey levels, shape ``[h, w]``, 0 to 255.
    reference
        Another training image of the same shape, whose style may be taken over.
    limits
        How far to go.
    generator
        Source of all chance.

    Returns
    -------
    The same shape and range.
    """
    if generator.random() < limits.style:
        image = take_over_style(image, reference, generator.uniform(0, 1), generator.uniform(0, 1))
    image = warp(image, random_affine(image.shape[0], limits, generator))
    if generator.random() < limits.horizontal_flip:
        image = image[:, ::-1]
    image = _change_intensity(image, limits, generator)
    if generator.random() < limits.resample:
        image = _resample(image, generator)
    if generator.random() < limits.jpeg:
        image = _recompress(image, int(generator.integers(50, 97)))
    return image


def random_affine(size: int, limits: GeometryRange, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw a transform around the centre of a square image; the rows ``[2, 3]`` map output to input coordinates."""
    angle = math.radians(generator.uniform(-limits.rotation, limits.rotation))
    zoom = math.exp(generator.uniform(-limits.zoom, limits.zoom))
    stretch = math.exp(generator.uniform(-limits.stretch, limits.stretch))
    linear = zoom * np.array(
        [[math.cos(angle) * stretch, -math.sin(angle)], [math.sin(angle), math.cos(angle) / stretch]]
    )
    centre = np.full(2, size / 2)
    shift = generator.uniform(-limits.shift, limits.shift, 2) * size
    return np.column_stack([linear, centre + shift - linear @ centre])


def warp(image: NDArray[np.uint8], transform: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Apply a transform of `random_affine`, bilinear; black comes in from outside the frame."""
    height, width = image.shape
    moved = Image.fromarray(image).transform(
        (width, height), Image.Transform.AFFINE, tuple(transform.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def take_over_style(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], detail: float, tone: float
) -> NDArray[np.uint8]:
    """Make an image look as if the scanner of another one had processed it, by a share of the way.

    Its fine detail gets the other's strength in each band of spatial frequency, its grey levels the other's histogram
    (histogram matching). Style is what class can be guessed from without seeing any disease: see `style.py`.

    Parameters
    ----------
    image, reference
        Grey levels, shape ``[h, w]``, 0 to 255, the same square shape.
    detail, tone
        How much of the difference in fine detail and in grey levels to take over, 0 to 1.
    """
    spectrum = fft.rfft2(image.astype(np.float32))
    gain = _strength(fft.rfft2(reference.astype(np.float32))) / _strength(spectrum)
    bands = _bands(image.shape[0])
    per_band = np.clip(gain, 1 / _LARGEST_GAIN, _LARGEST_GAIN) ** detail
    per_band[: int(_FINE_DETAIL * _BANDS_PER_CYCLE)] = 1
    sharpened = fft.irfft2(spectrum * per_band[bands].astype(np.float32), s=image.shape)
    return _match_histogram(np.clip(sharpened, 0, 255).round().astype(np.uint8), reference, tone)


def _bands(size: int) -> NDArray[np.int64]:
    """Give the band of spatial frequency of each value of a real Fourier transform."""
    radius = np.hypot(fft.fftfreq(size)[:, np.newaxis], fft.rfftfreq(size)[np.newaxis])
    return (radius * _BANDS_PER_CYCLE).astype(np.int64)


def _strength(spectrum: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Root mean square of a spectrum, per band."""
    bands = _bands(spectrum.shape[0]).ravel()
    power = np.bincount(bands, np.square(np.abs(spectrum)).ravel()) / np.maximum(np.bincount(bands), 1)
    return np.asarray(np.sqrt(power) + 1e-3)


def _match_histogram(image: NDArray[np.uint8], reference: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    ranks = np.cumsum(np.bincount(image.ravel(), minlength=256)) / image.size
    reference_ranks = np.cumsum(np.bincount(reference.ravel(), minlength=256)) / reference.size
    matched = np.interp(ranks, reference_ranks, np.arange(256))
    table = (1 - share) * np.arange(256) + share * matched
    return table.round().astype(np.uint8)[image]


def _change_intensity(
    image: NDArray[np.uint8], limits: AugmentationRange, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Change gamma, contrast and brightness by one table of 256 grey levels."""
    levels = np.linspace(0, 1, 256) ** math.exp(generator.uniform(-limits.gamma, limits.gamma))
    mean = float(levels[image].mean())
    contrast = math.exp(generator.uniform(-limits.contrast, limits.contrast))
    levels = (levels - mean) * contrast + mean + generator.uniform(-limits.brightness, limits.brightness)
    return (np.clip(levels, 0, 1) * 255).round().astype(np.uint8)[image]


def _resample(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Shrink and enlarge with random filters, as an image does that has passed through other software."""
    height, width = image.shape
    scale = generator.uniform(0.6, 1.0)
    there, back = generator.integers(0, len(_FILTERS), 2)
    small = Image.fromarray(image).resize((round(width * scale), round(height * scale)), _FILTERS[there])
    return np.asarray(small.resize((width, height), _FILTERS[back]))


def _recompress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(image)[..., np.newaxis], quality=quality, colorspace="GRAY")
    return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[..., 0])
