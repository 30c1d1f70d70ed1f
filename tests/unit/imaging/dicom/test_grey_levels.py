"""Grey levels worked out by hand from PS3.3 and PS3.4, and those that dcmtk's viewer shows."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from api.imaging.decode import decode
from tests.dicom.files import Storage, dataset, radiograph_file, ramp, written
from tests.images import encode_png
from tests.unit.imaging.dicom.rows import by_viewer, shown, stored

WINDOW_OF_12_BITS: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "4096"}
GREY_PNG = 0


def png(values: Any) -> list[int]:
    file = encode_png(np.array([values], np.uint16), GREY_PNG, 16)
    return [int(level) for level in decode(file, max_pixels=10**6).pixels[0]]


@pytest.mark.parametrize("values", [[0, 100, 255], [0, 256, 1000], [0, 5, 4095], [0, 4096, 60000], [0, 0, 0]])
def test_without_voi_the_picture_is_that_of_a_16_bit_png(values: list[int]) -> None:
    assert shown(values) == png(values)


def test_without_voi_inverted_12_bits_are_the_complement() -> None:
    values = [0, 17, 2000, 4000, 4095]
    inverted = [4095 - value for value in values]
    assert shown(inverted, 12, PhotometricInterpretation="MONOCHROME1") == shown(values, 12) == [0, 1, 125, 250, 255]


def test_without_voi_negative_values_go_from_the_smallest_to_the_largest() -> None:
    assert shown([-100, 0, 100]) == [0, 128, 255]
    assert shown([-7, -7]) == [0, 0]


def test_without_voi_a_rescale_changes_the_direction_alone() -> None:
    plain = shown([0, 1000, 4095])
    assert shown([0, 1000, 4095], RescaleSlope="0.001", RescaleIntercept="-1024") == plain
    inverse = shown([0, 1000, 4095], RescaleSlope="-1", RescaleIntercept="4095")
    assert inverse == [255 - level for level in plain]


def test_a_window_is_applied_after_the_rescale() -> None:
    rescaled: dict[str, Any] = {"RescaleSlope": "2", "RescaleIntercept": "-1024"}
    assert shown([512, 1024], **rescaled, WindowCenter="512.5", WindowWidth="1025") == [0, 255]


@pytest.mark.parametrize("slope", ["0", "", "1e300"])
def test_a_slope_that_says_nothing_is_one(slope: str) -> None:
    rescaled: dict[str, Any] = {"RescaleSlope": slope, "RescaleIntercept": "0"}
    assert shown([0, 2048, 4095], **rescaled, **WINDOW_OF_12_BITS) == shown([0, 2048, 4095], **WINDOW_OF_12_BITS)


def test_a_modality_table_is_applied_before_the_window() -> None:
    table = ramp(0, 10)  # from 0 to 65535 in steps of 6553.5
    window: dict[str, Any] = {"WindowCenter": "32768", "WindowWidth": "65536"}
    rescale: dict[str, Any] = {"RescaleSlope": None, "RescaleIntercept": None}
    assert shown([0, 5, 10, 99], ModalityLUTSequence=[table], **rescale, **window) == [0, 128, 255, 255]
    assert shown([0, 5, 10, 99], ModalityLUTSequence=[table], **rescale) == [0, 128, 255, 255]


def test_a_voi_lut_is_applied() -> None:
    assert shown([90, 100, 150, 200, 300], VOILUTSequence=[ramp(100, 200)]) == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "inverted",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
    ],
)
def test_inverted_radiographs_are_turned_around_once(inverted: dict[str, Any]) -> None:
    upright = shown([0, 1000, 4095], **WINDOW_OF_12_BITS)
    assert shown([0, 1000, 4095], **WINDOW_OF_12_BITS, **inverted) == [255 - level for level in upright]


@pytest.mark.parametrize("photometric_interpretation", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_whatever_else_is_done(photometric_interpretation: str) -> None:
    values = [0, 1000, 65535]
    padded: dict[str, Any] = {"PhotometricInterpretation": photometric_interpretation, "PixelPaddingValue": 65535}
    assert shown(values, **padded, **WINDOW_OF_12_BITS)[2] == 0
    assert shown(values, **{**padded, "PixelPaddingValue": 0}, **WINDOW_OF_12_BITS)[0] == 0


def test_padding_does_not_count_in_the_range() -> None:
    assert shown([0, 500, 1000, 65535], PixelPaddingValue=65535) == [*shown([0, 500, 1000]), 0]
    assert shown([-2000, -100, 100], PixelPaddingValue=-2000) == [0, 0, 255]


def test_padding_may_be_a_range_given_either_way_round() -> None:
    for value, limit in ((60000, 65535), (65535, 60000)):
        padded = shown([500, 59999, 60000, 65535], PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
        assert padded == [*shown([500, 59999]), 0, 0]


def test_padding_in_bits_that_are_not_stored_is_padding() -> None:
    assert shown([0, 1000, 0xFFFF], 12, PixelPaddingValue=0xFFFF, **WINDOW_OF_12_BITS)[2] == 0


def test_padding_of_the_stored_bits_leaves_whole_samples_of_that_value_alone() -> None:
    values = np.array([100, 1600, 4095]) << 4  # the whole sample of the value 100 is 1600
    assert shown(values, 12, HighBit=15, PixelPaddingValue=1600, **WINDOW_OF_12_BITS) == [6, 0, 255]
    overlaid = [1600, 1600 | 0x1000]
    assert shown(overlaid, 12, PixelPaddingValue=1600, **WINDOW_OF_12_BITS) == [0, 0]


def test_padding_with_the_sign_of_another_kind_of_pixels_is_padding() -> None:
    data = stored([-2000, -100, 100], PixelPaddingValue=-2000)
    assert data.count(b"\x28\0\x20\1SS") == 1
    unsigned = data.replace(b"\x28\0\x20\1SS", b"\x28\0\x20\1US")
    assert decode(unsigned, max_pixels=10).pixels.tolist() == [[0, 0, 255]]


def test_an_image_of_nothing_but_padding_is_black() -> None:
    assert shown([7, 7, 7], PixelPaddingValue=7) == [0, 0, 0]


def test_bits_beyond_the_stored_ones_do_not_show() -> None:
    values = np.array([0, 1000, 4095])
    overlaid = values | np.array([0xF000, 0x1000, 0x8000])
    assert shown(overlaid, 12) == shown(values, 12)
    assert shown(values << 4, 12, HighBit=15) == shown(values, 12)


def test_signed_values_have_their_sign_at_the_high_bit() -> None:
    twelve_bits = [0x800, 0xFFF, 0x000, 0x7FF]  # -2048, -1, 0, 2047 in 12 bits
    window: dict[str, Any] = {"WindowCenter": "0", "WindowWidth": "4096"}
    assert shown(twelve_bits, 12, PixelRepresentation=1, **window) == [0, 127, 128, 255]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_colours_are_shown_as_their_luma(bits: int) -> None:
    made = dataset(np.zeros((1, 2), np.uint8), Storage(bits, voi="none"))
    colour = np.array([[200, 100, 50], [255, 255, 255]]) * 2 ** (bits - 8)
    made.PhotometricInterpretation, made.SamplesPerPixel, made.PlanarConfiguration = "RGB", 3, 0
    made.PixelData = colour.astype("<u2" if bits > 8 else "u1").tobytes()
    assert decode(written(made), max_pixels=10).pixels[0].tolist() == [124, 255]


def palette(*greys: int) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name in ("Red", "Green", "Blue"):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [len(greys), 0, 16]
        tables[f"{name}PaletteColorLookupTableData"] = np.array(greys, "<u2").tobytes()
    return tables


def test_a_palette_is_looked_up() -> None:
    coloured: dict[str, Any] = {**palette(0, 65535, 32768), "PhotometricInterpretation": "PALETTE COLOR"}
    assert shown([2, 1, 0, 77], 8, **coloured) == [128, 255, 0, 128]
    red = {"GreenPaletteColorLookupTableData": bytes(6), "BluePaletteColorLookupTableData": bytes(6)}
    assert shown([1], 8, **{**coloured, **red}) == [round(0.299 * 255)]


SMOOTH = np.rint(255 * np.outer(np.linspace(0, 1, 30), np.linspace(0.2, 1, 40))).astype(np.uint8)


@pytest.mark.parametrize(
    ("storage", "attributes", "choice"),
    [
        (Storage(12), {}, "+Wi 1"),
        (Storage(12), {"WindowCenter": "1500", "WindowWidth": "900"}, "+Wi 1"),
        (Storage(12, inverted=True), {"WindowCenter": "1500", "WindowWidth": "900"}, "+Wi 1"),
        (Storage(14, signed=True), {"WindowCenter": "300", "WindowWidth": "5000"}, "+Wi 1"),
        (Storage(12, rescale=(2, -1024)), {"WindowCenter": "1000", "WindowWidth": "3000"}, "+Wi 1"),
        (Storage(12), {"WindowCenter": "1500", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"}, "+Wi 1"),
        (Storage(12), {"VOILUTSequence": [ramp(500, 3000)]}, "+Wl 1"),
        (Storage(10, signed=True), {"VOILUTSequence": [ramp(-300, 200)]}, "+Wl 1"),
    ],
    ids=["whole", "window", "inverted", "signed", "rescaled", "sigmoid", "VOI LUT", "signed VOI LUT"],
)
def test_a_viewer_shows_the_same(storage: Storage, attributes: dict[str, Any], choice: str) -> None:
    data = radiograph_file(SMOOTH, storage, **attributes)
    sigmoid = ["+Wfs"] if "VOILUTFunction" in attributes else []
    expected = by_viewer(data, *choice.split(), *sigmoid).astype(int)
    assert np.abs(decode(data, max_pixels=10**6).pixels.astype(int) - expected).max() <= 1


def test_large_images_are_rendered_in_a_few_bytes_a_pixel() -> None:
    rows, columns = 2000, 1500
    made = dataset(np.zeros((1, 1), np.uint8), Storage(12))
    made.Rows, made.Columns = rows, columns
    made.PixelData = np.random.default_rng(0).integers(0, 4096, rows * columns).astype("<u2").tobytes()
    data = written(made)
    decode(stored([1, 2]), max_pixels=10)
    tracemalloc.start()
    try:
        decode(data, max_pixels=10**7)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * rows * columns


def test_the_source_keeps_the_header_without_the_pixels() -> None:
    source = decode(stored([1, 2], 12), max_pixels=10).source
    assert source is not None
    header: Dataset = source.header
    assert "PixelData" not in header
    assert (header.Rows, header.Columns, header.PatientID) == (1, 2, "MRN-4711")
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_the_bit_depth_is_that_of_the_stored_values() -> None:
    assert [decode(stored([1], bits), max_pixels=10).bit_depth for bits in (8, 10, 12, 16)] == [8, 10, 12, 16]
