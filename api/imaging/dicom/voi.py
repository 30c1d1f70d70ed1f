"""Values of interest: the first VOI LUT, or else the first window (PS3.3, section C.11.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from api.imaging.dicom.lookup_tables import VOI_LUT_SEQUENCE, LookupTable, read_table
from api.imaging.dicom.values import numbers, text

_CENTRE, _WIDTH, _FUNCTION = 0x00281050, 0x00281051, 0x00281056

Values = NDArray[np.float64]


class Voi(Protocol):
    """Says how bright each value is shown."""

    def apply(self, values: Values) -> Values:
        """Map values after the Modality LUT to brightness, 0 to 1."""


def read_voi(header: Dataset, inputs: tuple[float, float]) -> Voi | None:
    """Read what the header gives first; None if there is nothing, or a window of no width.

    Parameters
    ----------
    header
        The data set.
    inputs
        The smallest and the largest value that the Modality LUT can give.

    Raises
    ------
    UndecodableImage
        A look-up table is not whole.
    """
    table = read_table(header, VOI_LUT_SEQUENCE, inputs)
    return _ByTable(table) if table is not None else _read_window(header)


def _read_window(header: Dataset) -> Voi | None:
    centre, width = numbers(header, _CENTRE), numbers(header, _WIDTH)
    function = text(header, _FUNCTION).upper()
    function = function if function in _FUNCTIONS else _LINEAR
    if not centre or not width or width[0] < _LEAST_WIDTHS[function]:
        return None
    return _Window(centre[0], width[0], _FUNCTIONS[function])


@dataclass(frozen=True, slots=True)
class _ByTable:
    table: LookupTable

    def apply(self, values: Values) -> Values:
        return self.table.look_up(values) / _white(self.table)


def _white(table: LookupTable) -> int:
    """Give the entry that is shown white: the largest of as many bits as the descriptor says (section C.11.2.1.1).

    Some devices, of computed radiography above all, say 16, the size of a word, of entries of 12 bits. Where no entry
    comes to a quarter of white, and all would be dark, white is the largest of as many bits as the entries have.
    """
    of_entries = (1 << max(1, int(table.entries.max()).bit_length())) - 1
    return of_entries if 4 * of_entries < table.largest else table.largest


@dataclass(frozen=True, slots=True)
class _Window:
    centre: float
    width: float
    function: Callable[[Values, float, float], Values]

    def apply(self, values: Values) -> Values:
        return self.function(values, self.centre, self.width)


def _linear(values: Values, centre: float, width: float) -> Values:
    """Section C.11.2.1.2.1; a window of width 1 is a step."""
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _linear_exact(values: Values, centre: float, width: float) -> Values:
    """Section C.11.2.1.3.2."""
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _sigmoid(values: Values, centre: float, width: float) -> Values:
    """Section C.11.2.1.3.1; beyond 30 widths it is 0 or 1 to the last bit, and the exponential would overflow."""
    return 1 / (1 + np.exp(-4 * np.clip((values - centre) / width, -30, 30)))


_LINEAR = "LINEAR"
_FUNCTIONS: Mapping[str, Callable[[Values, float, float], Values]] = {
    _LINEAR: _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}
_LEAST_WIDTHS = {_LINEAR: 1.0, "LINEAR_EXACT": 1e-6, "SIGMOID": 1e-6}
