"""Grey levels by look-up tables as many write them: against PS3.3, C.11.1 and C.11.2, by hand, and dcmtk's viewer."""

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from api.errors import UndecodableImage
from tests.unit.imaging.dicom.rows import by_viewer, levels_of, lut, shown, stored

ENTRIES = np.rint(np.linspace(0, 65535, 4097)).astype(int)
ENTRIES_OF_12_BITS = np.arange(4096)
SIGNED = [-2048, -1000, 0, 1000, 2047]
UNSIGNED = [30000, 40000, 42000, 44000, 60000]
NO_RESCALE: dict[str, Any] = {"RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None}
WINDOWS: dict[int, dict[str, Any]] = {
    12: {"WindowCenter": "2048", "WindowWidth": "4096"},
    16: {"WindowCenter": "32768", "WindowWidth": "65536"},
}


def by_hand(values: Any, first: int, entries: Any, bits: int = 16) -> list[int]:
    """Values before the first entry are as that, values after the last one as the last one (section C.11.1.1.1)."""
    found = [entries[min(max(value - first, 0), len(entries) - 1)] for value in values]
    return [round(255 * int(entry) / (2**bits - 1)) for entry in found]


def by_table(sequence: str, item: Dataset, bits: int = 16) -> dict[str, Any]:
    """Attributes of a look-up table, with a window as wide as its entries, which a VOI LUT comes before."""
    return {**NO_RESCALE, **WINDOWS[bits], sequence: [item]}


MODALITY, VOI = "ModalityLUTSequence", "VOILUTSequence"
TABLES = pytest.mark.parametrize("sequence", [MODALITY, VOI])
CHOICES = {MODALITY: "+Wi", VOI: "+Wl"}
SIGNS = pytest.mark.parametrize(("values", "first"), [(SIGNED, -2048), (UNSIGNED, 40000)], ids=["signed", "unsigned"])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
@pytest.mark.parametrize("vr", ["US", "SS", "UN"])
@TABLES
@SIGNS
def test_a_table_is_found_under_any_vr(values: list[int], first: int, sequence: str, vr: str, syntax: UID) -> None:
    file = stored(values, syntax=syntax, **by_table(sequence, lut(vr, first, ENTRIES)))
    assert levels_of(file) == by_hand(values, first, ENTRIES)


@pytest.mark.parametrize("vr", ["US", "SS"])
@TABLES
@SIGNS
def test_a_viewer_finds_the_same(values: list[int], first: int, sequence: str, vr: str) -> None:
    file = stored(values, **by_table(sequence, lut(vr, first, ENTRIES)))
    np.testing.assert_allclose(levels_of(file), by_viewer(file, CHOICES[sequence], "1")[0], atol=1)


@pytest.mark.parametrize("vr", ["US", "SS", "UN"])
def test_a_rescale_to_negative_values_makes_the_first_value_negative(vr: str) -> None:
    values, rescale = [0, 1048, 2048, 3048, 4095], {"RescaleSlope": "1", "RescaleIntercept": "-2048"}
    file = stored(values, 12, **{**by_table(VOI, lut(vr, -2048, ENTRIES)), **rescale})
    assert levels_of(file) == by_hand([value - 2048 for value in values], -2048, ENTRIES)
    np.testing.assert_allclose(levels_of(file), by_viewer(file, "+Wl", "1")[0], atol=1)


@pytest.mark.parametrize("vr", ["US", "SS", "UN"])
def test_values_after_a_modality_table_are_never_negative(vr: str) -> None:
    tables = {**by_table(MODALITY, lut("US", 0, [0, 40000, 44096])), **by_table(VOI, lut(vr, 40000, ENTRIES))}
    assert shown([0, 1, 2], **tables) == by_hand([0, 40000, 44096], 40000, ENTRIES) == [0, 0, 255]


@pytest.mark.parametrize("bits", [0, 1, 7, 17, 32])
@TABLES
def test_a_number_of_bits_that_none_has_is_that_of_the_largest_entry(sequence: str, bits: int) -> None:
    values = [0, 1000, 2000, 3000, 4095]
    item = lut("US", 0, ENTRIES_OF_12_BITS, bits)
    file = stored(values, 12, **by_table(sequence, item, 12))
    assert levels_of(file) == by_hand(values, 0, ENTRIES_OF_12_BITS, 12)
    np.testing.assert_allclose(levels_of(file), by_viewer(file, CHOICES[sequence], "1")[0], atol=1)


def test_entries_of_12_bits_that_are_said_to_have_16_are_not_all_but_black() -> None:
    values = [0, 736, 1500, 2800, 4095]
    entries = np.arange(2065) * 4095 // 2064
    file = stored(values, 12, **by_table(VOI, lut("SS", 736, entries, 16)))
    assert levels_of(file) == by_hand(values, 736, entries, 12)
    np.testing.assert_allclose(levels_of(file), by_viewer(file, "+Wl", "1", "--ignore-vlut-depth")[0], atol=1)


@pytest.mark.parametrize("bits", [12, 16])
@TABLES
def test_a_table_that_is_short_by_one_ends_with_its_last_entry_again(sequence: str, bits: int) -> None:
    values = [0, 1000, 2000, 3000, 4094, 4095]
    entries = ENTRIES_OF_12_BITS * 2 ** (bits - 12)
    item = lut("US", 0, entries, bits)
    item.LUTData = item.LUTData[:-2]
    file = stored(values, 12, **by_table(sequence, item, bits))
    assert levels_of(file) == by_hand(values, 0, entries[:-1], bits)
    np.testing.assert_allclose(levels_of(file), by_viewer(file, CHOICES[sequence], "1")[0], atol=1)


def test_a_table_of_half_its_entries_is_refused() -> None:
    item = lut("US", 0, ENTRIES_OF_12_BITS, 12)
    item.LUTData = item.LUTData[: len(item.LUTData) // 2]
    with pytest.raises(UndecodableImage, match=r"4096 entries.*Received: 2048"):
        shown([0, 1], 12, **by_table(VOI, item))


@TABLES
def test_an_empty_item_leaves_the_word_to_the_window(sequence: str) -> None:
    window = {**NO_RESCALE, **WINDOWS[12]}
    assert shown([0, 2000, 4095], 12, **window, **{sequence: [Dataset()]}) == shown([0, 2000, 4095], 12, **window)


def test_entries_of_8_bits_in_big_endian_words_are_in_their_order() -> None:
    entries = np.arange(255, -1, -1)
    item = lut("US", 0, entries, 8)
    item.LUTData = entries.astype(np.uint8).tobytes()
    little = stored([0, 1, 100, 255], 8, **by_table(VOI, item))
    item.LUTData = entries.astype(np.uint8).view("<u2").astype(">u2").tobytes()
    big = stored([0, 1, 100, 255], 8, ExplicitVRBigEndian, **by_table(VOI, item))
    assert levels_of(big) == levels_of(little) == [255, 254, 155, 0]
