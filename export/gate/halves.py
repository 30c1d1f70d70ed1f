"""Which patients choose the gate's limits, and which measure it: limits flatter the images that chose them."""

import zlib

from export.data.examples import fold_group


def measures(patient: str) -> bool:
    """Tell, by a patient's name, whether the radiographs measure the gate, as half of all do, or choose its limits."""
    return zlib.crc32(fold_group(patient).encode()) % 2 == 1
