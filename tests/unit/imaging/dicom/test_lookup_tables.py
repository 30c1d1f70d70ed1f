"""Look-up tables as they are written, and as some write them."""

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from api.errors import UndecodableImage
from api.imaging.dicom.file import read_file
from api.imaging.dicom.lookup_tables import MODALITY_LUT_SEQUENCE, LookupTable, read_palette, read_table
from tests.dicom_files import dataset, encoded, radiograph_file, written
from tests.unit.imaging.dicom.headers import LEVELS, header


def table(descriptor: list[int], data: bytes, vr: str = "OW", descriptor_vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", descriptor_vr, descriptor)
    item.add_new("LUTData", vr, data)
    return item


def read(item: Dataset, *, signed: bool = False) -> LookupTable:
    found = read_table(header(ModalityLUTSequence=[item]), MODALITY_LUT_SEQUENCE, signed=signed)
    assert found is not None
    return found


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


def test_values_beyond_the_ends_take_the_first_and_the_last_entry() -> None:
    found = read(table([3, 10, 16], words(100, 300, 200)))
    assert found.look_up(np.array([-5.0, 9, 10, 11, 12, 13, 1e6])).tolist() == [100, 100, 100, 300, 200, 200, 200]
    assert found.largest == 65535


def test_no_sequence_is_no_table() -> None:
    assert read_table(header(), MODALITY_LUT_SEQUENCE, signed=False) is None


def test_65536_entries_are_written_as_none() -> None:
    found = read(table([0, 0, 16], np.arange(65536).astype("<u2").tobytes()))
    assert found.look_up(np.array([0.0, 40000, 65535])).tolist() == [0, 40000, 65535]


def test_the_first_value_may_be_negative() -> None:
    assert read(table([2, -3, 8], words(5, 6), descriptor_vr="SS")).first == -3


@pytest.mark.parametrize(("signed", "first"), [(True, -3), (False, 65533)])
def test_without_a_vr_the_first_value_has_the_sign_of_the_pixels(signed: bool, first: int) -> None:
    item = table([2, 65533, 8], words(5, 6))
    made = dataset(LEVELS, ModalityLUTSequence=[item])
    data = written(encoded(made, ImplicitVRLittleEndian))
    found = read_table(read_file(data, 100).header, MODALITY_LUT_SEQUENCE, signed=signed)
    assert found is not None
    assert found.first == first


def test_entries_in_big_endian_order_are_read() -> None:
    item = table([2, 0, 16], np.array([1, 513], ">u2").tobytes())
    data = radiograph_file(LEVELS, syntax=ExplicitVRBigEndian, ModalityLUTSequence=[item])
    found = read_table(read_file(data, 100).header, MODALITY_LUT_SEQUENCE, signed=False)
    assert found is not None
    assert found.entries.tolist() == [1, 513]


def test_entries_of_8_bits_may_stand_one_in_a_byte() -> None:
    assert read(table([4, 0, 8], bytes([1, 2, 3, 250]))).entries.tolist() == [1, 2, 3, 250]


def test_entries_of_more_bits_than_claimed_count() -> None:
    assert read(table([2, 0, 8], words(0, 4095))).largest == 4095


@pytest.mark.parametrize(
    "item",
    [
        table([3, 0, 16], words(1)),
        table([3, 0, 16], b""),
        table([3, 0], words(1, 2, 3)),
        table([3, 0, 17], words(1, 2, 3)),
        table([3, 0, 1], words(1, 2, 3)),
        Dataset(),
    ],
    ids=["too short", "empty", "no bits", "too many bits", "too few bits", "nothing"],
)
def test_a_table_that_is_not_whole_is_refused(item: Dataset) -> None:
    with pytest.raises(UndecodableImage, match="look-up table"):
        read(item)


def palette(**changed: Any) -> Dataset:
    attributes: dict[str, Any] = {}
    for number, colour in enumerate(("Red", "Green", "Blue")):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 7, 16]
        attributes[f"{colour}PaletteColorLookupTableData"] = words(number, 100 + number)
    return header(**{**attributes, **changed})


def test_a_palette_has_a_table_for_each_colour() -> None:
    colours = [[each.first, *each.entries.tolist()] for each in read_palette(palette())]
    assert colours == [[7, 0, 100], [7, 1, 101], [7, 2, 102]]


@pytest.mark.parametrize("missing", ["BluePaletteColorLookupTableData", "GreenPaletteColorLookupTableDescriptor"])
def test_a_palette_without_one_of_its_parts_is_refused(missing: str) -> None:
    with pytest.raises(UndecodableImage):
        read_palette(palette(**{missing: None}))


def test_a_palette_may_come_in_segments() -> None:
    segments = {"SegmentedGreenPaletteColorLookupTableData": words(0, 1, 10, 1, 1, 20)}
    _, green, _ = read_palette(palette(GreenPaletteColorLookupTableData=None, **segments))
    assert green.entries.tolist() == [10, 20]
