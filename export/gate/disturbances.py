"""Changes that a chest radiograph survives: nothing of this may be refused."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels], Pixels]


def _jpeg(quality: int) -> Change:
    def change(pixels: Pixels) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return change


def _levels(curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Change:
    """Send grey levels, 0 to 1, through a curve."""
    table = (np.clip(curve(np.arange(256) / 255), 0, 1) * 255).round().astype(np.uint8)
    return lambda pixels: table[pixels]


def _borders(rows: float, columns: float) -> Change:
    """Add black borders, as shares of the sides."""

    def change(pixels: Pixels) -> Pixels:
        y, x = round(rows * pixels.shape[0]), round(columns * pixels.shape[1])
        return np.pad(pixels, ((y, y), (x, x)))

    return change


def _turn(degrees: float) -> Change:
    return lambda pixels: np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR))


def _shrink(side: int) -> Change:
    return lambda pixels: np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def _crop(share: float) -> Change:
    def change(pixels: Pixels) -> Pixels:
        y, x = (round(share * side) for side in pixels.shape)
        return pixels[y : pixels.shape[0] - y, x : pixels.shape[1] - x]

    return change


def _blur(radius: float) -> Change:
    return lambda pixels: np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _noise(sigma: float) -> Change:
    def change(pixels: Pixels) -> Pixels:
        noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)

    return change


# Some of the radiographs that the gate is fitted to are changed in these ways. Weak noise is not half of strong noise
# and thin borders are not half of wide ones: early feature maps answer to the edge, however thin.
FITTED: Mapping[str, Change] = {
    "jpeg quality 40": _jpeg(40),
    "jpeg quality 70": _jpeg(70),
    "gamma 0.6": _levels(lambda v: v**0.6),
    "gamma 1.6": _levels(lambda v: v**1.6),
    "contrast 0.6": _levels(lambda v: (v - 0.5) * 0.6 + 0.5),
    "contrast 1.5": _levels(lambda v: (v - 0.5) * 1.5 + 0.5),
    "black border of 3 %": _borders(0.03, 0.03),
    "black border of 10 %": _borders(0.1, 0.1),
    "turned by 10 degrees": _turn(10),
    "turned by -10 degrees": _turn(-10),
    "a quarter as bright": _levels(lambda v: v / 4),
    "brighter by 40": _levels(lambda v: v + 40 / 255),
    "noise, sigma 3": _noise(3),
    "noise, sigma 5": _noise(5),
    "noise, sigma 10": _noise(10),
    "letterbox, 10 % above and below": _borders(0.1, 0),
    "letterbox, 20 % above and below": _borders(0.2, 0),
    "letterbox, 10 % left and right": _borders(0, 0.1),
    "letterbox, 20 % left and right": _borders(0, 0.2),
    "shrunk to 96 pixels": _shrink(96),
}
# These only measure; some are milder, stronger, or between what the gate is fitted to.
UNSEEN: Mapping[str, Change] = {
    "jpeg quality 95": _jpeg(95),
    "brighter by 20": _levels(lambda v: v + 20 / 255),
    "contrast 1.3": _levels(lambda v: (v - 0.5) * 1.3 + 0.5),
    "darker by 40": _levels(lambda v: v - 40 / 255),
    "half as bright": _levels(lambda v: v / 2),
    "black border of 5 %": _borders(0.05, 0.05),
    "letterbox, 30 % above and below": _borders(0.3, 0),
    "letterbox, 15 % left and right": _borders(0, 0.15),
    "letterbox, 30 % left and right": _borders(0, 0.3),
    "shrunk to 128 pixels": _shrink(128),
    "8 % cut off each side": _crop(0.08),
    "blurred, radius 1.5 pixels": _blur(1.5),
    "noise, sigma 4": _noise(4),
    "noise, sigma 7": _noise(7),
    "noise, sigma 15": _noise(15),
    "turned by 5 degrees": _turn(5),
}
