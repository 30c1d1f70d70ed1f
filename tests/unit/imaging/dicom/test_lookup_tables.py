"""Look-up tables as they are written, and as some write them."""

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from api.errors import UndecodableImage
from api.imaging.dicom.file import read_file
from api.imaging.dicom.lookup_tables import MODALITY_LUT_SEQUENCE, LookupTable, read_palette, read_table
from tests.dicom.files import radiograph_file
from tests.unit.imaging.dicom.headers import LEVELS, header
from tests.unit.imaging.dicom.rows import lut

UNSIGNED = 0, 65535
SIGNED = -32768, 32767
INDICES = 0, 255


def table(descriptor: list[int], data: bytes, vr: str = "OW", descriptor_vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", descriptor_vr, descriptor)
    item.add_new("LUTData", vr, data)
    return item


def read(item: Dataset, inputs: tuple[float, float] = UNSIGNED, syntax: UID = ExplicitVRLittleEndian) -> LookupTable:
    found = read_if_any([item], inputs, syntax)
    assert found is not None
    return found


def read_if_any(
    items: list[Dataset], inputs: tuple[float, float] = UNSIGNED, syntax: UID = ExplicitVRLittleEndian
) -> LookupTable | None:
    data = radiograph_file(LEVELS, syntax=syntax, ModalityLUTSequence=items)
    return read_table(read_file(data, 100).header, MODALITY_LUT_SEQUENCE, inputs)


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


def test_values_beyond_the_ends_take_the_first_and_the_last_entry() -> None:
    found = read(table([3, 10, 16], words(100, 300, 200)))
    assert found.look_up(np.array([-5.0, 9, 10, 11, 12, 13, 1e6])).tolist() == [100, 100, 100, 300, 200, 200, 200]
    assert found.largest == 65535


def test_no_sequence_is_no_table() -> None:
    assert read_table(header(), MODALITY_LUT_SEQUENCE, UNSIGNED) is None


def test_an_empty_item_is_no_table() -> None:
    assert read_if_any([Dataset()]) is None
    assert read_if_any([table([], b"")]) is None
    found = read_if_any([Dataset(), table([2, 0, 16], words(3, 4))])
    assert found is not None
    assert found.entries.tolist() == [3, 4]


def test_65536_entries_are_written_as_none() -> None:
    found = read(table([0, 0, 16], np.arange(65536).astype("<u2").tobytes()))
    assert found.look_up(np.array([0.0, 40000, 65535])).tolist() == [0, 40000, 65535]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("vr", ["US", "SS", "UN"])
@pytest.mark.parametrize(
    ("inputs", "first"),
    [
        (SIGNED, -2048),
        (SIGNED, -32768),
        (SIGNED, 2048),
        (UNSIGNED, 32768),
        (UNSIGNED, 40000),
        ((-2048, 2047), -2048),
        ((-2048, 63487), -2048),
        ((-1024, 64511), -1024),
        ((-1024, 64511), 40000),
        ((0, 4095), -5),
        ((-0.5, 100.5), -1),
    ],
)
def test_the_first_value_has_the_sign_of_the_values_that_go_in(
    inputs: tuple[float, float], first: int, vr: str, syntax: UID
) -> None:
    assert read(lut(vr, first, np.arange(4096)), inputs, syntax).first == first


@pytest.mark.parametrize(
    ("vr", "inputs", "first"),
    [("US", (-1024, 131071), 64512), ("SS", (-1024, 131071), -1024), ("UN", (-1024, 131071), -1024)],
)
def test_where_both_signs_will_do_the_first_value_has_that_of_its_vr(
    vr: str, inputs: tuple[float, float], first: int
) -> None:
    assert read(lut(vr, first, np.arange(1000)), inputs).first == first


def test_entries_in_big_endian_order_are_read() -> None:
    item = table([2, 0, 16], np.array([1, 513], ">u2").tobytes())
    assert read(item, syntax=ExplicitVRBigEndian).entries.tolist() == [1, 513]


@pytest.mark.parametrize(("vr", "data"), [("OW", bytes([2, 1, 0, 250])), ("OB", bytes([1, 2, 250, 0]))])
def test_entries_of_8_bits_in_big_endian_words_have_their_bytes_swapped(vr: str, data: bytes) -> None:
    assert read(table([3, 0, 8], data, vr), syntax=ExplicitVRBigEndian).entries.tolist() == [1, 2, 250]


def test_entries_of_8_bits_may_stand_one_in_a_byte() -> None:
    assert read(table([4, 0, 8], bytes([1, 2, 3, 250]))).entries.tolist() == [1, 2, 3, 250]


def test_entries_of_more_bits_than_claimed_count() -> None:
    assert read(table([2, 0, 8], words(0, 4095))).largest == 4095


@pytest.mark.parametrize("bits", [0, 1, 7, 17, 32])
def test_a_number_of_bits_that_no_entry_has_is_that_of_the_largest_entry(bits: int) -> None:
    assert read(table([2, 0, bits], words(0, 3000))).largest == 4095


def test_a_table_of_nothing_but_zeros_has_a_range_nevertheless() -> None:
    assert read(table([2, 0, 0], words(0, 0))).largest == 1


@pytest.mark.parametrize("bits", [7, 8, 9, 12, 16])
def test_a_table_that_is_short_by_one_ends_with_its_last_entry_again(bits: int) -> None:
    entries = np.arange(127).tolist()
    assert read(table([128, 0, bits], words(*entries))).entries.tolist() == [*entries, 126]


def test_a_table_of_bytes_may_be_short_as_well() -> None:
    assert read(table([130, 0, 8], bytes(range(128)))).entries.tolist() == [*range(128), 127, 127]


@pytest.mark.parametrize(
    "item",
    [
        table([3, 0, 16], words(1)),
        table([1, 0, 16], b""),
        table([128, 0, 12], bytes(128)),
        table([128, 0, 8], bytes(118)),
        table([128, 0, 16], words(*range(119))),
        table([3, 0], words(1, 2, 3)),
        table([], words(1, 2, 3)),
    ],
    ids=["too short", "empty", "bytes for words", "bytes cut off", "words cut off", "no bits", "no descriptor"],
)
def test_a_table_that_is_not_whole_is_refused(item: Dataset) -> None:
    with pytest.raises(UndecodableImage, match="look-up table"):
        read(item)


def palette(**changed: Any) -> Dataset:
    return header(**{**palette_attributes("<u2"), **changed})


def palette_attributes(order: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for number, colour in enumerate(("Red", "Green", "Blue")):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 7, 16]
        attributes[f"{colour}PaletteColorLookupTableData"] = np.array([number, 100 + number], order).tobytes()
    return attributes


def test_a_palette_has_a_table_for_each_colour() -> None:
    colours = [[each.first, *each.entries.tolist()] for each in read_palette(palette(), INDICES)]
    assert colours == [[7, 0, 100], [7, 1, 101], [7, 2, 102]]


@pytest.mark.parametrize("missing", ["BluePaletteColorLookupTableData", "GreenPaletteColorLookupTableDescriptor"])
def test_a_palette_without_one_of_its_parts_is_refused(missing: str) -> None:
    with pytest.raises(UndecodableImage):
        read_palette(palette(**{missing: None}), INDICES)


def test_a_palette_may_come_in_segments() -> None:
    segments = {"SegmentedGreenPaletteColorLookupTableData": words(0, 1, 10, 1, 1, 20)}
    _, green, _ = read_palette(palette(GreenPaletteColorLookupTableData=None, **segments), INDICES)
    assert green.entries.tolist() == [10, 20]


def test_a_palette_may_be_short_by_one() -> None:
    attributes = {"RedPaletteColorLookupTableDescriptor": [3, 0, 16]}
    red, *_ = read_palette(palette(**attributes), INDICES)
    assert red.entries.tolist() == [0, 100, 100]


def test_segments_of_bytes_in_big_endian_words_have_their_bytes_swapped() -> None:
    changed = {
        "GreenPaletteColorLookupTableDescriptor": [2, 0, 8],
        "GreenPaletteColorLookupTableData": None,
        "SegmentedGreenPaletteColorLookupTableData": bytes([2, 0, 20, 10]),
    }
    data = radiograph_file(LEVELS, syntax=ExplicitVRBigEndian, **{**palette_attributes(">u2"), **changed})
    _, green, _ = read_palette(read_file(data, 100).header, INDICES)
    assert green.entries.tolist() == [10, 20]
