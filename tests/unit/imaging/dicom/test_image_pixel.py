"""The Image Pixel Module, right and wrong."""

from typing import Any

import pytest

from api.errors import ImageTooLarge, UndecodableImage
from api.imaging.dicom.image_pixel import ImagePixel, read_image_pixel
from tests.unit.imaging.dicom.headers import header


def read(**attributes: Any) -> ImagePixel:
    return read_image_pixel(header(**attributes), max_pixels=100)


def test_the_module_is_read() -> None:
    assert read() == ImagePixel(2, 3, 1, "MONOCHROME2", 8, 8, 7, False, False)
    sixteen = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 15, "PixelRepresentation": 1}
    assert read(**sixteen, PixelData=bytes(12)) == ImagePixel(2, 3, 1, "MONOCHROME2", 16, 12, 15, True, False)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 1}
    assert read(**colour) == ImagePixel(2, 3, 3, "RGB", 8, 8, 7, False, True)


def test_what_goes_without_saying_may_be_missing() -> None:
    left_out = dict.fromkeys(("SamplesPerPixel", "BitsStored", "HighBit", "PixelRepresentation"))
    assert read(**left_out) == read()


@pytest.mark.parametrize("frames", ["1", "", "0", None])
def test_one_frame_is_one_however_it_is_told(frames: str | None) -> None:
    assert read(NumberOfFrames=frames) == read()


@pytest.mark.parametrize("frames", ["2", "100000"])
def test_several_frames_are_refused(frames: str) -> None:
    with pytest.raises(UndecodableImage, match="several frames"):
        read(NumberOfFrames=frames)


@pytest.mark.parametrize(("rows", "columns"), [(10, 11), (60000, 60000)])
def test_more_pixels_than_the_limit_are_too_large(rows: int, columns: int) -> None:
    assert read(Rows=10, Columns=10).samples == 100
    with pytest.raises(ImageTooLarge, match="at most 100 pixels"):
        read(Rows=rows, Columns=columns)


def test_the_limit_holds_for_the_samples_of_a_colour_image() -> None:
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    assert read(Rows=3, Columns=11, **colour).samples == 99
    with pytest.raises(ImageTooLarge, match="at most 100 pixels, counted 3 times"):
        read(Rows=2, Columns=17, **colour)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Rows": 0},
        {"Columns": 0},
        {"Rows": None},
        {"Rows": [2, 2]},
        {"BitsAllocated": None},
        {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        {"BitsAllocated": 32, "BitsStored": 12, "HighBit": 11},
        {"BitsStored": 0, "HighBit": 0},
        {"BitsStored": 9, "HighBit": 8},
        {"BitsStored": 8, "HighBit": 6},
        {"HighBit": 65535},
        {"SamplesPerPixel": 3},
        {"SamplesPerPixel": 4},
        {"PhotometricInterpretation": "RGB"},
        {"PhotometricInterpretation": None},
        {"PhotometricInterpretation": "YBR_PARTIAL_420", "SamplesPerPixel": 3},
        {"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 4},
    ],
    ids=str,
)
def test_what_is_no_radiograph_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UndecodableImage, match="Received"):
        read(**wrong)
