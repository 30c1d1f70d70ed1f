"""A radiograph, as the stages see it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ImageFormat: TypeAlias = Literal["jpeg", "png"]


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A decoded chest radiograph.

    `pixels` are grey levels of shape ``[rows, columns]``, 0 (black) to 255, upright as the viewer sees them.
    `bit_depth` is that of the file (1, 2, 4, 8 or 16), before scaling to 8 bits.
    """

    pixels: NDArray[np.uint8]
    format: ImageFormat
    bit_depth: int

    @property
    def height(self) -> int:
        """Rows of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image as sent, after EXIF orientation."""
        return int(self.pixels.shape[1])
