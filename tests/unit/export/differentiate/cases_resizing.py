"""Resizing, up and down, in every mode that is linear."""

from itertools import product
from typing import Any

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, OPSET, Network, node

_UP, _DOWN, _MIXED = (2.0, 3.0), (0.5, 0.6), (1.5, 0.6)


def scaled(scales: tuple[float, float], opset: int = OPSET, **attributes: Any) -> Network:
    """Resize images by factors."""
    constants = {"scales": np.array([1, 1, *scales], np.float32)}
    return Network([node("Resize", "x _ scales", **attributes)], {"x": (BATCH, 1, 4, 5)}, constants, opset)


def sized(sizes: tuple[int, int], **attributes: Any) -> Network:
    """Resize images to a size, along named axes."""
    constants = {"sizes": np.array(sizes)}
    resize = node("Resize", "x _ _ sizes", axes=[2, 3], **attributes)
    return Network([resize], {"x": (BATCH, 1, 4, 5)}, constants, opset=18)


CASES = {
    **{
        f"{mode}, {coordinates}, {scales}": scaled(scales, mode=mode, coordinate_transformation_mode=coordinates)
        for mode, coordinates, scales in product(
            ("nearest", "linear", "cubic"),
            ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"),
            (_UP, _DOWN, _MIXED),
        )
    },
    **{
        f"nearest by {rounding}": scaled((1.5, 0.7), mode="nearest", nearest_mode=rounding)
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    },
    **{f"{mode} to a size": sized((7, 3), mode=mode) for mode in ("nearest", "linear", "cubic")},
    "cubic, outside left out": scaled(_UP, mode="cubic", exclude_outside=1),
    "cubic, another coefficient": scaled(_UP, mode="cubic", cubic_coeff_a=-0.5),
    "linear, rows alone": scaled((2.0, 1.0), mode="linear"),
    "linear, a factor that keeps the width": scaled((2.0, 1.1), mode="linear"),
    "linear, whole tensor by sizes": Network(
        [node("Resize", "x _ _ sizes", mode="linear")], {"x": (1, 1, 3, 4)}, {"sizes": np.array([1, 1, 5, 3])}
    ),
    "linear, one axis": Network(
        [node("Resize", "x _ scales", mode="linear")],
        {"x": (BATCH, 2, 5)},
        {"scales": np.array([1, 1, 1.6], np.float32)},
    ),
    "linear, channels last": Network(
        [node("Resize", "x _ scales", mode="linear")],
        {"x": (BATCH, 3, 4, 2)},
        {"scales": np.array([1, 2, 2, 1], np.float32)},
    ),
    "linear, smoothed": scaled(_DOWN, mode="linear", antialias=1, opset=18),
}
