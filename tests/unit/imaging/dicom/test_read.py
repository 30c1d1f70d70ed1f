"""Whole files: what damaged ones are answered with, and what none may leave behind."""

import contextlib
import logging
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from api.errors import GatewayError, UndecodableImage
from api.imaging.decode import decode
from tests.dicom.files import PATIENT_DATA, Storage, by_dcmtk, radiograph_file, ramp
from tests.dicom.tolerated import TOLERATED

LEVELS = np.add.outer(3 * np.arange(32, dtype=np.uint8), 2 * np.arange(40, dtype=np.uint8))
SYNTAXES = [
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEG2000Lossless,
]
FILES = [radiograph_file(LEVELS, syntax=syntax) for syntax in SYNTAXES]
TABLES = radiograph_file(LEVELS, Storage(12, signed=True, inverted=True, voi="lut"), ModalityLUTSequence=[ramp(0, 99)])
MOST_PIXELS = 10**6


def refused_or_decoded(data: bytes) -> None:
    with contextlib.suppress(GatewayError):
        decode(data, max_pixels=MOST_PIXELS)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_the_same_radiograph_comes_out_of_every_syntax(syntax: UID) -> None:
    radiograph = decode(radiograph_file(LEVELS, syntax=syntax), max_pixels=MOST_PIXELS)
    assert (radiograph.format, radiograph.bit_depth, radiograph.width, radiograph.height) == ("dicom", 8, 40, 32)
    loss = 4 if syntax == JPEGBaseline8Bit else 0
    assert np.abs(radiograph.pixels.astype(int) - LEVELS).max() <= loss


@given(st.sampled_from([*FILES, TABLES]), st.data())
def test_damage_never_raises_anything_but_a_documented_error(file: bytes, data: st.DataObject) -> None:
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(132, len(damaged) - 1))
        new = data.draw(st.binary(max_size=4))
        damaged[start : start + data.draw(st.integers(0, 4))] = new
        if len(damaged) <= 133:
            break
    refused_or_decoded(bytes(damaged))


@given(st.binary(max_size=400))
@example(b"\2\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0")
def test_noise_after_the_preamble_never_raises_anything_but_a_documented_error(noise: bytes) -> None:
    refused_or_decoded(bytes(128) + b"DICM" + noise)


@pytest.mark.parametrize("file", FILES, ids=[syntax.name for syntax in SYNTAXES])
def test_a_file_that_is_cut_off_is_refused_wherever_it_ends(file: bytes) -> None:
    # The last bytes may pad the codestream; the tags before them may not be missed.
    for end in range(132, len(file) - 10):
        with pytest.raises(UndecodableImage):
            decode(file[:end], max_pixels=MOST_PIXELS)


@pytest.mark.parametrize("end", [-2, -8, -9])
def test_encapsulated_pixels_without_their_delimiter_are_refused(end: int) -> None:
    with pytest.raises(UndecodableImage):
        decode(FILES[-1][:end], max_pixels=MOST_PIXELS)


@pytest.mark.parametrize("name", TOLERATED)
def test_odd_values_are_neither_warned_of_nor_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(TOLERATED[name](), max_pixels=MOST_PIXELS)
    assert (caplog.records, caught) == ([], [])


@pytest.mark.parametrize("command", [("dcmcjpeg", "+e1"), ("dcmcjpeg", "--encode-extended"), ("dcmcjpls",)])
def test_codecs_write_nothing_of_the_patient(command: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    coded = by_dcmtk(radiograph_file(LEVELS, Storage(12)), *command)
    capfd.readouterr()
    decode(coded, max_pixels=MOST_PIXELS)
    refused_or_decoded(coded[:-300] + bytes(300))
    written = "".join(capfd.readouterr())
    assert [value for value in PATIENT_DATA if value in written] == []


def test_a_radiograph_does_not_repeat_its_patient() -> None:
    told = repr(decode(FILES[0], max_pixels=MOST_PIXELS))
    assert [value for value in PATIENT_DATA if value in told] == []
