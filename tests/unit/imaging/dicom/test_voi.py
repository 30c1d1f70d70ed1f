"""Windows and VOI LUTs against the formulas of PS3.3, section C.11.2, worked out by hand."""

import math

import numpy as np
import pytest

from api.imaging.dicom.voi import read_voi
from tests.dicom.files import ramp
from tests.unit.imaging.dicom.headers import header
from tests.unit.imaging.dicom.rows import lut

NONE = {"WindowCenter": None, "WindowWidth": None}


def brightness(*values: float, **attributes: object) -> list[float]:
    voi = read_voi(header(**{**NONE, **attributes}), (-1000, 1000))
    assert voi is not None
    return [float(share) for share in voi.apply(np.array(values))]


def test_a_linear_window_ends_half_a_value_off_its_edges() -> None:
    # Centre 2048 and width 4096 map 0 to black and 4095 to white (the standard's own example).
    found = brightness(-10, 0, 2047.5, 4095, 5000, WindowCenter="2048", WindowWidth="4096")
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(brightness(10, 11, 12, 13, WindowCenter="12", WindowWidth="3"), [0, 0.25, 0.75, 1])


def test_a_linear_window_of_width_one_is_a_step() -> None:
    assert brightness(99, 99.5, 100, WindowCenter="100", WindowWidth="1") == [0, 0, 1]


def test_an_exact_linear_window_ends_at_its_edges() -> None:
    found = brightness(90, 95, 100, 105, 110, WindowCenter="100", WindowWidth="20", VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.75, 1])


def test_a_sigmoid_window_never_ends() -> None:
    found = brightness(-(10**9), 90, 100, 110, 10**9, WindowCenter="100", WindowWidth="20", VOILUTFunction="SIGMOID")
    np.testing.assert_allclose(found, [0, 1 / (1 + math.e**2), 0.5, 1 / (1 + math.e**-2), 1], atol=1e-12)


def test_the_first_of_several_windows_counts() -> None:
    assert brightness(0, 255, WindowCenter=["128", "5"], WindowWidth=["256", "1"]) == [0, 1]


def test_a_function_that_does_not_exist_is_linear() -> None:
    assert brightness(0, 255, WindowCenter="128", WindowWidth="256", VOILUTFunction="LOG") == [0, 1]


@pytest.mark.parametrize(
    ("centre", "width", "function"),
    [
        ("", "", "LINEAR"),
        ("100", None, "LINEAR"),
        (None, "100", "LINEAR"),
        ("100", "0", "LINEAR"),
        ("100", "0.5", "LINEAR"),
        ("100", "-5", "LINEAR"),
        ("100", "0", "LINEAR_EXACT"),
        ("100", "-1", "SIGMOID"),
        ("100", "1e300", "LINEAR"),
    ],
)
def test_a_window_of_no_width_is_none(centre: str | None, width: str | None, function: str) -> None:
    assert read_voi(header(WindowCenter=centre, WindowWidth=width, VOILUTFunction=function), (0, 65535)) is None


def test_a_voi_lut_comes_before_a_window() -> None:
    found = brightness(90, 100, 150, 200, 300, VOILUTSequence=[ramp(100, 200)], WindowCenter="1", WindowWidth="1")
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1], atol=1e-5)


def test_a_voi_lut_may_begin_below_zero() -> None:
    np.testing.assert_allclose(brightness(-50, 0, 50, VOILUTSequence=[ramp(-50, 50)]), [0, 0.5, 1], atol=1e-5)


@pytest.mark.parametrize(("largest", "white"), [(4095, 4095), (3000, 4095), (16383, 16383), (16384, 65535), (1, 1)])
def test_white_is_that_of_the_entries_where_none_comes_to_a_quarter_of_it(largest: int, white: int) -> None:
    found = brightness(0, 1, VOILUTSequence=[lut("US", 0, [0, largest])])
    np.testing.assert_allclose(found, [0, largest / white])


def test_a_voi_lut_of_zeros_is_black() -> None:
    assert brightness(0, 1, VOILUTSequence=[lut("US", 0, [0, 0])]) == [0, 0]
