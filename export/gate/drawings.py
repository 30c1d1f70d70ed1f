"""Pictures of no chest that are drawn: noise, blank frames, documents, screens, phantoms of bones.

Each takes a seed and gives grey levels, 256 pixels a side.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from export.gate.disturbances import Pixels

_SIDE = 256
_WORDS = (
    "the", "patient", "was", "seen", "report", "chest", "findings", "normal", "acute", "signs", "date", "table",
    "value", "hospital", "result", "unit", "of", "and", "is", "in", "to", "with", "invoice", "number", "total",
)  # fmt: skip

Generator = np.random.Generator
Values = NDArray[np.float64]


def _grid() -> tuple[Values, Values]:
    """Rows and columns, 0 to 1."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    return rows, columns


def _stretched(values: Values) -> Pixels:
    span = values.max() - values.min()
    return np.asarray((values - values.min()) / (span or 1) * 255).astype(np.uint8)


def _softened(picture: Image.Image, radius: float) -> Pixels:
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)))


def _pixel_noise(g: Generator) -> Pixels:
    return np.clip(g.normal(g.uniform(60, 190), g.uniform(10, 70), (_SIDE, _SIDE)), 0, 255).astype(np.uint8)


def _clouds(g: Generator) -> Pixels:
    """Noise whose amplitude falls with a power of the frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.fftfreq(_SIDE)))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(g.normal(size=(_SIDE, _SIDE))) / frequency ** g.uniform(1, 2.5)
    return _stretched(np.fft.ifft2(spectrum).real)


def _blank(g: Generator) -> Pixels:
    level = (0, 255, int(g.integers(256)))[g.integers(3)]
    return np.full((_SIDE, _SIDE), level, dtype=np.uint8)


def _gradient(g: Generator) -> Pixels:
    rows, columns = _grid()
    angle = g.uniform(0, 2 * np.pi)
    if g.random() < 0.4:
        return _stretched(-np.hypot(rows - g.uniform(0.3, 0.7), columns - g.uniform(0.3, 0.7)))
    return _stretched(np.cos(angle) * columns + np.sin(angle) * rows)


def _stripes(g: Generator) -> Pixels:
    rows, columns = _grid()
    angle = g.uniform(0, np.pi)
    return _stretched(np.sin(2 * np.pi * g.uniform(3, 40) * (np.cos(angle) * columns + np.sin(angle) * rows)))


def _checkerboard(g: Generator) -> Pixels:
    cells = np.arange(_SIDE) // g.integers(4, 40)
    dark, bright = np.sort(g.integers(0, 256, 2))
    return np.where((cells[:, np.newaxis] + cells) % 2, bright, dark).astype(np.uint8)


def _document(g: Generator, dark: bool) -> Pixels:
    width, height, size = int(g.integers(400, 900)), int(g.integers(500, 1100)), int(g.integers(12, 26))
    picture = Image.new("L", (width, height), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for y in range(30, height - 40, round(size * 1.5)):
        if g.random() < 0.85:
            draw.text((30, y), " ".join(g.choice(_WORDS, g.integers(3, 14))), font=font, fill=int(g.integers(90)))
    page = np.asarray(picture)
    return 255 - page if dark else page


def _screen(g: Generator) -> Pixels:
    picture = Image.new("L", (1280, 800), int(g.integers(20, 255)))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    for _ in range(g.integers(4, 14)):
        x, y, width, height = (int(v) for v in g.integers((0, 0, 40, 20), (1200, 740, 500, 300)))
        draw.rectangle((x, y, x + width, y + height), fill=int(g.integers(256)), outline=int(g.integers(256)))
    for _ in range(25):
        x, y = (int(v) for v in g.integers((0, 0), (1100, 780)))
        draw.text((x, y), " ".join(g.choice(_WORDS, 4)), font=font, fill=int(g.integers(256)))
    return np.asarray(picture)


def _ellipses(g: Generator) -> Pixels:
    picture = Image.new("L", (_SIDE, _SIDE), int(g.integers(60)))
    draw = ImageDraw.Draw(picture)
    for _ in range(g.integers(2, 12)):
        x, y, a, b = (int(v) for v in g.integers((0, 0, 8, 8), (_SIDE, _SIDE, 110, 110)))
        draw.ellipse((x - a, y - b, x + a, y + b), fill=int(g.integers(256)))
    return _softened(picture, g.uniform(0, 4))


def _knee(g: Generator) -> Pixels:
    """Draw a knee from the front: two widening shafts with bright edges, a gap, and a thin bone beside."""
    rows, columns = _grid()
    middle, width, joint = g.uniform(0.42, 0.58), g.uniform(0.12, 0.2), g.uniform(0.4, 0.6)
    from_axis = np.abs(columns - middle)
    side = 0.55 * width * (1 + np.exp(-np.square((np.abs(rows - joint) - 0.07) / 0.085)))
    bone = (from_axis < side) & (np.abs(rows - joint) > 0.012)
    edge = np.clip(1 - np.abs(from_axis - side) / 0.03, 0, 1) * bone
    thin_bone = (np.abs(columns - middle - 1.1 * width) < 0.03) & (rows > joint + 0.08)
    soft = 0.35 * np.exp(-((from_axis / (1.9 * width)) ** 4))
    grain = g.normal(0, 0.015, rows.shape)
    return _softened(Image.fromarray(_stretched(soft + 0.35 * bone + 0.25 * edge + 0.25 * thin_bone + grain)), 1.2)


def _limb(g: Generator) -> Pixels:
    """Draw tubes with bright walls."""
    rows, columns = _grid()
    picture = g.normal(0, 0.02, rows.shape)
    for _ in range(g.integers(1, 6)):
        radius = g.uniform(0.03, 0.12)
        distance = np.abs(columns - g.uniform(0.2, 0.8) - g.uniform(-0.3, 0.3) * (rows - 0.5))
        picture += 0.6 * np.sqrt(np.clip(1 - np.square(distance / radius), 0, 1))
        picture += 0.2 * (np.abs(distance - radius) < 0.012)
    return _stretched(picture)


def _skull(g: Generator) -> Pixels:
    """Draw a skull from the front: a bright ring, dark eyes and nose, a row of teeth."""
    picture = Image.new("L", (_SIDE, _SIDE), 5)
    draw = ImageDraw.Draw(picture)
    shift, wall = g.uniform(-12, 12), g.uniform(5, 12)
    draw.ellipse((48 + shift, 20, 208 + shift, 220), fill=220)
    draw.ellipse((48 + shift + wall, 20 + wall, 208 + shift - wall, 220 - wall), fill=int(g.integers(120, 170)))
    for x in (92, 164):
        draw.ellipse((x + shift - 22, 108, x + shift + 22, 146), fill=int(g.integers(50, 90)))
    draw.polygon([(128 + shift, 140), (114 + shift, 172), (142 + shift, 172)], fill=60)
    for k in range(8):
        draw.rectangle((97 + shift + 8 * k, 184, 103 + shift + 8 * k, 200), fill=245)
    return _softened(picture, g.uniform(1, 3))


def _ultrasound(g: Generator) -> Pixels:
    """Draw a fan of speckle on black."""
    rows, columns = _grid()
    radius, angle = np.hypot(rows + 0.1, columns - 0.5), np.arctan2(columns - 0.5, rows + 0.1)
    fan = (np.abs(angle) < g.uniform(0.5, 0.8)) & (radius > 0.2) & (radius < 1)
    speckle = g.rayleigh(0.3, rows.shape) * np.exp(-g.uniform(0.5, 2) * radius)
    speckle *= 1 - 0.8 * (np.hypot(rows - g.uniform(0.4, 0.7), columns - 0.5) < g.uniform(0.05, 0.15))
    return _softened(Image.fromarray(_stretched(np.clip(speckle * fan, 0, 1))), 0.8)


def _traces(g: Generator) -> Pixels:
    """Draw an electrocardiogram on its grid."""
    picture = Image.new("L", (800, 600), 250)
    draw = ImageDraw.Draw(picture)
    for k in range(0, 800, 20):
        draw.line((k, 0, k, 600), fill=205)
        draw.line((0, k, 800, k), fill=205)
    beat = int(g.integers(60, 140))
    for y in range(80, 600, 130):
        heights = [float(60 * np.exp(-np.square((x % beat - 30) / 3)) + g.normal(0, 1)) for x in range(800)]
        draw.line([(x, y - height) for x, height in enumerate(heights)], fill=10, width=2)
    return np.asarray(picture)


def _chart(g: Generator) -> Pixels:
    picture = Image.new("L", (800, 600), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    bars = int(g.integers(4, 14))
    for k in range(bars):
        x, height = 80 + k * 680 // bars, int(g.integers(40, 450))
        draw.rectangle((x, 530 - height, x + 500 // bars, 530), fill=int(g.integers(40, 200)))
        draw.text((x, 540), str(g.choice(_WORDS)), font=font, fill=0)
    draw.line((70, 40, 70, 530, 770, 530), fill=0, width=2)
    return np.asarray(picture)


def _test_pattern(g: Generator) -> Pixels:
    """Draw grey steps with a circle, as on a monitor's test picture."""
    steps = int(g.integers(6, 18))
    bars = np.repeat(np.linspace(0, 255, steps).astype(np.uint8), -(-_SIDE // steps))[:_SIDE]
    picture = Image.fromarray(np.tile(g.permutation(bars) if g.random() < 0.3 else bars, (_SIDE, 1)))
    ImageDraw.Draw(picture).ellipse((30, 30, 226, 226), outline=int(g.integers(256)), width=3)
    return np.asarray(picture)


def _barcode(g: Generator) -> Pixels:
    columns = np.repeat(g.integers(0, 2, 64), 4) * 255
    if g.random() < 0.5:
        return np.tile(columns, (_SIDE, 1)).astype(np.uint8)
    return np.kron(g.integers(0, 2, (32, 32)), np.full((8, 8), 255)).astype(np.uint8)


# The limits and the features were chosen with an eye on pictures of these kinds; the others have chosen nothing.
CHOSEN_WITH = frozenset(
    {
        "pixel noise", "clouds", "blank", "gradient", "stripes", "checkerboard", "document", "dark document", "screen",
        "ellipses", "knee phantom", "limb phantom", "hand", "ct_axial", "photograph", "surface", "scanned text",
        "microscopy", "retina", "astronomy", "logo", "head phantom", "DICOM CT", "DICOM MR", "DICOM US", "DICOM OT",
        "DICOM NM", "DICOM SEG",
    }
)  # fmt: skip
_DRAW: Mapping[str, Callable[[Generator], Pixels]] = {
    "pixel noise": _pixel_noise,
    "clouds": _clouds,
    "blank": _blank,
    "gradient": _gradient,
    "stripes": _stripes,
    "checkerboard": _checkerboard,
    "document": partial(_document, dark=False),
    "dark document": partial(_document, dark=True),
    "screen": _screen,
    "ellipses": _ellipses,
    "knee phantom": _knee,
    "limb phantom": _limb,
    "skull phantom": _skull,
    "ultrasound phantom": _ultrasound,
    "electrocardiogram": _traces,
    "chart": _chart,
    "test pattern": _test_pattern,
    "barcode": _barcode,
}


def _seeded(draw: Callable[[Generator], Pixels], seed: int) -> Pixels:
    return draw(np.random.default_rng(seed))


DRAWINGS: Mapping[str, Callable[[int], Pixels]] = {name: partial(_seeded, draw) for name, draw in _DRAW.items()}
