"""Headers as the gateway reads them, of attributes given by keyword."""

from typing import Any

import numpy as np
from pydicom import Dataset

from api.imaging.dicom.file import read_file
from tests.dicom.files import radiograph_file

LEVELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def header(**attributes: Any) -> Dataset:
    """Write a radiograph with these attributes and read its header back."""
    return read_file(radiograph_file(LEVELS, **attributes), max_pixels=100).header
