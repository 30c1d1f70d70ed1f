"""Samples of every coding, against pydicom with other codecs, against dcmtk, and against uncompressed values."""

import io
import warnings
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from api.errors import UndecodableImage
from api.imaging.dicom.file import read_file
from api.imaging.dicom.image_pixel import read_image_pixel
from api.imaging.dicom.pixels import Samples, read_samples
from tests.dicom.elements import frame_of, with_frame
from tests.dicom.files import Storage, by_dcmtk, dataset, radiograph_file, written
from tests.jpeg_bytes import EXTENDED, LOSSLESS, progressive, sequential


def _names(text: str) -> list[str]:
    return text.split()


# pydicom's own test files of one frame and up to 16 bits: their grey samples, or their luma.
GREY_FILES = _names(
    """
    693_J2KI.dcm CT_small.dcm J2K_pixelrep_mismatch.dcm JPEG2000.dcm JPEGLSNearLossless_08.dcm JPEGLSNearLossless_16.dcm
    MR_small.dcm MR_small_RLE.dcm MR_small_bigendian.dcm MR_small_expb.dcm MR_small_implicit.dcm
    MR_small_jp2klossless.dcm MR_small_jpeg_ls_lossless.dcm MR_small_padded.dcm examples_overlay.dcm image_dfl.dcm
    examples_palette.dcm
    """
)
RED_GREEN_BLUE_FILES = _names(
    """
    ExplVR_BigEnd.dcm GDCMJ2K_TextGBR.dcm SC_jpeg_no_color_transform.dcm SC_jpeg_no_color_transform_2.dcm
    SC_rgb_dcmtk_+eb+cr.dcm SC_rgb_gdcm_KY.dcm SC_rgb_jls_lossy_line.dcm SC_rgb_jls_lossy_sample.dcm SC_rgb_jpeg.dcm
    SC_rgb_jpeg_app14_dcmd.dcm SC_rgb_jpeg_dcmd.dcm SC_rgb_rle.dcm SC_rgb_rle_16bit.dcm SC_rgb_small_odd.dcm
    SC_rgb_small_odd_big_endian.dcm examples_jpeg2k.dcm examples_rgb_color.dcm
    """
)
LUMA_AND_CHROMA_FILES = _names(
    """
    SC_rgb_dcmtk_+eb+cy+n1.dcm SC_rgb_dcmtk_+eb+cy+n2.dcm SC_rgb_dcmtk_+eb+cy+np.dcm SC_rgb_dcmtk_+eb+cy+s2.dcm
    SC_rgb_dcmtk_+eb+cy+s4.dcm SC_rgb_jpeg_dcmtk.dcm SC_rgb_jpeg_lossy_gdcm.dcm SC_rgb_small_odd_jpeg.dcm
    SC_ybr_full_422_uncompressed.dcm
    """
)
LEVELS = np.random.default_rng(3).integers(0, 256, (40, 52), dtype=np.uint8)


def read(data: bytes) -> Samples:
    file = read_file(data, max_pixels=10**6)
    return read_samples(file, read_image_pixel(file.header, max_pixels=10**6))


def stored(data: bytes) -> NDArray[np.int64]:
    """Give the stored values, computed apart from the module under test."""
    samples = read(data)
    signed = bool(read_image_pixel(read_file(data, 10**6).header, 10**6).signed)
    values = samples.values.astype(np.int64) >> (samples.high_bit + 1 - samples.bits_stored)
    values %= 2**samples.bits_stored
    return np.where(signed & (values >= 2 ** (samples.bits_stored - 1)), values - 2**samples.bits_stored, values)


def of_pydicom(name: str) -> bytes:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        return file.read()


def pixels_by_pydicom(data: bytes, **choices: Any) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = dcmread(io.BytesIO(data))
        made.pixel_array_options(**choices)
        values: NDArray[np.int64] = made.pixel_array.astype(np.int64)
    return values


def luma(colours: NDArray[np.int64]) -> NDArray[np.int64]:
    thousandths: NDArray[np.int64] = colours @ np.array([299, 587, 114])
    return (thousandths + 500) // 1000


@pytest.mark.parametrize("name", GREY_FILES)
def test_grey_files_of_pydicom_decode_to_its_values(name: str) -> None:
    data = of_pydicom(name)
    np.testing.assert_array_equal(stored(data), pixels_by_pydicom(data))


@pytest.mark.parametrize("name", RED_GREEN_BLUE_FILES)
def test_colour_files_of_pydicom_decode_to_their_luma(name: str) -> None:
    data = of_pydicom(name)
    np.testing.assert_array_equal(read(data).values, luma(pixels_by_pydicom(data)))


@pytest.mark.parametrize("name", LUMA_AND_CHROMA_FILES)
def test_files_of_pydicom_in_luma_and_chroma_decode_to_the_luma(name: str) -> None:
    data = of_pydicom(name)
    np.testing.assert_array_equal(read(data).values, pixels_by_pydicom(data, raw=True)[..., 0])


def test_lossless_jpeg_in_colour_is_the_picture_that_was_compressed() -> None:
    expected = luma(pixels_by_pydicom(of_pydicom("SC_rgb_rle.dcm")))
    np.testing.assert_array_equal(read(of_pydicom("SC_rgb_jpeg_gdcm.dcm")).values, expected)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_jpeg_of_12_bits_decodes_as_by_dcmtk(name: str) -> None:
    data = of_pydicom(name)
    np.testing.assert_array_equal(stored(data), pixels_by_pydicom(by_dcmtk(data, "dcmdjpeg")))


@pytest.mark.parametrize("bits", [8, 12])
def test_lossy_jpeg_by_dcmtk_decodes_as_by_dcmtk(bits: int) -> None:
    coded = by_dcmtk(radiograph_file(LEVELS, Storage(bits)), "dcmcjpeg", "--encode-extended")
    assert dcmread(io.BytesIO(coded)).file_meta.TransferSyntaxUID == JPEGExtended12Bit
    np.testing.assert_array_equal(stored(coded), pixels_by_pydicom(by_dcmtk(coded, "dcmdjpeg")))


@pytest.mark.parametrize("command", [("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el"), ("dcmcjpls",), ("dcmcrle",)])
@pytest.mark.parametrize("storage", [Storage(8), Storage(12), Storage(12, signed=True), Storage(16)])
@pytest.mark.parametrize("levels", [LEVELS, LEVELS[:-1, :-1]], ids=["even size", "odd size"])
def test_lossless_coding_by_dcmtk_keeps_every_value(
    storage: Storage, command: tuple[str, ...], levels: NDArray[np.uint8]
) -> None:
    coded = by_dcmtk(radiograph_file(levels, storage), *command)
    np.testing.assert_array_equal(stored(coded), storage.store(levels).astype(np.int64))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
@pytest.mark.parametrize("signed", [False, True])
def test_high_throughput_jpeg_2000_by_openjph_keeps_every_value(syntax: str, signed: bool) -> None:
    storage = Storage(16, signed)
    made = dataset(LEVELS, storage, PixelData=encapsulate([_htj2k(storage)]))
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = UID(syntax)
    np.testing.assert_array_equal(stored(written(made)), storage.store(LEVELS).astype(np.int64))


def _htj2k(storage: Storage) -> bytes:
    return bytes(imagecodecs.htj2k_encode(storage.store(LEVELS), reversible=True))


def test_jpeg_2000_in_a_jp2_file_is_read() -> None:
    frame = bytes(imagecodecs.jpeg2k_encode(LEVELS, level=0, reversible=True, codecformat="JP2"))
    assert frame[4:8] == b"jP  "
    np.testing.assert_array_equal(read(with_frame(frame, JPEG2000Lossless, Rows=40, Columns=52)).values, LEVELS)


def test_bits_that_the_codestream_does_not_have_are_none() -> None:
    frame = bytes(imagecodecs.jpegls_encode(LEVELS))
    made = dataset(LEVELS, Storage(12), PixelData=encapsulate([frame]), PixelRepresentation=1)
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    np.testing.assert_array_equal(stored(written(made)), LEVELS.astype(np.int8).astype(np.int64))


def test_8_bits_written_as_big_endian_words_are_put_in_order() -> None:
    made = dataset(LEVELS)
    made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    np.testing.assert_array_equal(read(written(made)).values, LEVELS)


def test_colours_in_planes_are_read() -> None:
    colours = np.random.default_rng(4).integers(0, 256, (3, *LEVELS.shape), dtype=np.uint8)
    data = radiograph_file(
        LEVELS,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=1,
        PixelData=colours.tobytes(),
    )
    np.testing.assert_array_equal(read(data).values, luma(np.moveaxis(colours, 0, -1).astype(np.int64)))


def test_colours_are_those_of_the_header_where_the_jpeg_does_not_tell() -> None:
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[..., 0], colours[..., 1], colours[..., 2] = 200, 60, 20
    frame = bytes(imagecodecs.jpeg8_encode(colours, level=100, colorspace="RGB", outcolorspace="RGB"))
    bare = _without_segment(frame, 0xEE)
    made: dict[str, Any] = {"Rows": 16, "Columns": 16, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    as_rgb = read(with_frame(bare, JPEGBaseline8Bit, PhotometricInterpretation="RGB", **made)).values
    as_ybr = read(with_frame(bare, JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL", **made)).values
    assert abs(int(as_rgb[8, 8]) - round(0.299 * 200 + 0.587 * 60 + 0.114 * 20)) <= 1
    assert abs(int(as_ybr[8, 8]) - 200) <= 1


def _without_segment(frame: bytes, marker: int) -> bytes:
    """Take the marker segment out and number the components 1 to 3, so that nothing tells of the colours."""
    start = frame.find(bytes((0xFF, marker)))
    if start >= 0:
        frame = frame[:start] + frame[start + 2 + int.from_bytes(frame[start + 2 : start + 4]) :]
    coded = bytearray(frame)
    frame_header, scan_header = frame.index(b"\xff\xc0"), frame.index(b"\xff\xda")
    for number in range(3):
        coded[frame_header + 10 + 3 * number] = number + 1
        coded[scan_header + 5 + 2 * number] = number + 1
    return bytes(coded)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_frame_that_is_cut_off_is_refused_though_the_file_is_whole(syntax: UID, kept: float) -> None:
    frame = frame_of(syntax)
    with pytest.raises(UndecodableImage):
        read(with_frame(frame[: int(len(frame) * kept)], syntax))


@pytest.mark.parametrize("command", ["+e1", "+el", "--encode-extended"])
@pytest.mark.parametrize("ended", [True, False])
def test_a_frame_of_libjpegs_other_processes_that_is_cut_off_is_refused(command: str, ended: bool) -> None:
    """Also with an end put back, where libjpeg only warns."""
    made = dcmread(io.BytesIO(by_dcmtk(radiograph_file(LEVELS, Storage(12)), "dcmcjpeg", command)))
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    start, end = frame.index(b"\xff\xda") + 10, frame.rindex(b"\xff\xd9")
    # The last bytes may be of a pixel that is the same without them.
    for kept in [*range(start, end - 10, 97), end - 10]:
        made.PixelData = encapsulate([frame[:kept] + b"\xff\xd9" * ended])
        with pytest.raises(UndecodableImage):
            read(written(made))


@pytest.mark.parametrize(
    ("syntax", "sound", "others"),
    [
        (JPEGBaseline8Bit, sequential(EXTENDED, 8, 32), [sequential(LOSSLESS, 8, 32), progressive(32)]),
        (JPEGExtended12Bit, sequential(EXTENDED, 12, 32), [sequential(LOSSLESS, 12, 32), progressive(32)]),
        (JPEGLossless, sequential(LOSSLESS, 12, 32), [sequential(EXTENDED, 12, 32), progressive(32)]),
        (JPEGLosslessSV1, sequential(LOSSLESS, 16, 32), [sequential(EXTENDED, 8, 32), progressive(32)]),
    ],
    ids=lambda each: each.name if isinstance(each, UID) else "",
)
def test_jpeg_is_read_if_it_is_of_the_process_of_its_transfer_syntax(
    syntax: UID, sound: bytes, others: list[bytes]
) -> None:
    assert np.ptp(read(_of_16_bits(sound, syntax)).values) == 0
    for frame in others:
        with pytest.raises(UndecodableImage, match="process that the DICOM transfer syntax names"):
            read(_of_16_bits(frame, syntax))


def _of_16_bits(frame: bytes, syntax: UID) -> bytes:
    return with_frame(frame, syntax, Rows=32, Columns=32, BitsAllocated=16, BitsStored=16, HighBit=15)


def test_padding_after_the_end_of_a_codestream_is_no_damage() -> None:
    frame = frame_of(JPEGLSLossless)
    for padding in (b"\0", b"\xff", b"\0" * 40):
        assert read(with_frame(frame + padding, JPEGLSLossless)).values.size
    with pytest.raises(UndecodableImage):
        read(with_frame(frame + b"more", JPEGLSLossless))


def test_run_lengths_that_run_over_or_end_early_are_refused() -> None:
    header = np.array([1, 64, *[0] * 14], "<u4").tobytes()
    whole = b"\x81\x07" * 16 + b"\xe1\x07"  # 16 runs of 128 and one of 32
    size = {"Rows": 40, "Columns": 52}
    assert (read(with_frame(header + whole, RLELossless, **size)).values == 7).all()
    for runs in (whole[:-2], whole + b"\x81\x07" * 1000):
        with pytest.raises(UndecodableImage):
            read(with_frame(header + runs, RLELossless, **size))


@pytest.mark.parametrize(
    ("syntax", "claimed"),
    [(ExplicitVRLittleEndian, RLELossless), (JPEGLSLossless, ExplicitVRLittleEndian)],
    ids=["uncompressed said to be compressed", "compressed said to be uncompressed"],
)
def test_pixels_of_another_coding_than_the_transfer_syntax_are_refused(syntax: UID, claimed: UID) -> None:
    data = radiograph_file(LEVELS, syntax=syntax)
    told = syntax.encode() + b"\0" * (len(syntax) % 2)
    assert data.count(told) == 1
    with pytest.raises(UndecodableImage):
        read(data.replace(told, claimed.encode().ljust(len(told), b"\0")))


def test_samples_of_a_signed_codestream_are_bits_as_any_other() -> None:
    values = np.array([[-2048, -1], [0, 2047]], np.int16)
    frame = bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="J2K", bitspersample=12))
    made = dataset(np.zeros((2, 2), np.uint8), Storage(12, signed=True), PixelData=encapsulate([frame]))
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    np.testing.assert_array_equal(stored(written(made)), values)


@pytest.mark.parametrize("colours", ["YBR_RCT", "YBR_ICT"])
def test_the_colours_of_jpeg_2000_are_none_of_other_codings(colours: str) -> None:
    data = radiograph_file(
        LEVELS, SamplesPerPixel=3, PhotometricInterpretation=colours, PixelData=bytes(LEVELS.size * 3)
    )
    with pytest.raises(UndecodableImage, match="must be in JPEG 2000"):
        read(data)


_SUBSAMPLED = np.stack((LEVELS[:, ::2], LEVELS[:, 1::2], LEVELS[:, ::2] // 3, LEVELS[:, ::2] // 5), axis=-1)
_SUBSAMPLED_COLOURS: dict[str, Any] = {
    "SamplesPerPixel": 3,
    "PhotometricInterpretation": "YBR_FULL_422",
    "PixelData": _SUBSAMPLED.tobytes(),
}


def test_subsampled_colours_give_their_luma() -> None:
    np.testing.assert_array_equal(read(radiograph_file(LEVELS, **_SUBSAMPLED_COLOURS)).values, LEVELS)


@pytest.mark.parametrize("changed", [{"Columns": 51}, {"BitsAllocated": 16, "BitsStored": 8, "HighBit": 7}])
def test_subsampled_colours_need_pairs_of_8_bits(changed: dict[str, Any]) -> None:
    with pytest.raises(UndecodableImage):
        read(
            radiograph_file(
                LEVELS, **{**_SUBSAMPLED_COLOURS, "PixelData": _SUBSAMPLED.tobytes() + b"\0" * 99, **changed}
            )
        )


@pytest.mark.parametrize("levels", [LEVELS, LEVELS[:-1, :-1]], ids=["even size", "odd size"])
@pytest.mark.parametrize("planar", [0, 1])
def test_colours_said_to_be_subsampled_are_read_whole_if_they_are_all_there(
    levels: NDArray[np.uint8], planar: int
) -> None:
    pixels = np.stack((levels, levels // 3, levels // 5), axis=0 if planar else -1).tobytes()
    made = {**_SUBSAMPLED_COLOURS, "PixelData": pixels + b"\0" * (len(pixels) % 2), "PlanarConfiguration": planar}
    np.testing.assert_array_equal(read(radiograph_file(levels, **made)).values, levels)


@pytest.mark.parametrize("colours", [{}, _SUBSAMPLED_COLOURS], ids=["grey", "subsampled colours"])
def test_several_frames_are_refused_though_the_header_does_not_count_them(colours: dict[str, Any]) -> None:
    pixels = colours.get("PixelData", LEVELS.tobytes())
    for excess in (1, 64):  # as padding
        file = radiograph_file(LEVELS, **{**colours, "PixelData": pixels + bytes(2 * excess)})
        np.testing.assert_array_equal(read(file).values, LEVELS)
    with pytest.raises(UndecodableImage, match="several frames"):
        read(radiograph_file(LEVELS, **{**colours, "PixelData": pixels * 2}))


def test_an_image_of_one_pixel_may_be_padded_to_an_even_length() -> None:
    assert read(radiograph_file(LEVELS[:1, :1])).values.tolist() == [[LEVELS[0, 0]]]


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("offsets", [True, False], ids=["with offsets", "without offsets"])
def test_several_compressed_frames_are_refused_though_the_header_does_not_count_them(
    syntax: UID, offsets: bool
) -> None:
    frame = frame_of(syntax)
    made = dataset(np.zeros((47, 61), np.uint8), PixelData=encapsulate([frame, frame], has_bot=offsets))
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = syntax
    assert read(with_frame(frame, syntax)).values.shape == (47, 61)
    with pytest.raises(UndecodableImage, match="several frames" if offsets or syntax != RLELossless else "corrupt"):
        read(written(made))


@pytest.mark.parametrize("missing", [1, 100])
def test_too_few_uncompressed_pixels_are_refused(missing: int) -> None:
    with pytest.raises(UndecodableImage, match=f"{LEVELS.size * 2} bytes of Pixel Data"):
        read(radiograph_file(LEVELS, Storage(12), PixelData=bytes(LEVELS.size * 2 - 2 * missing)))


@pytest.mark.parametrize(
    "pixels", [{"PixelData": None}, {"PixelData": b""}, {"FloatPixelData": bytes(4 * LEVELS.size)}]
)
def test_an_object_without_integer_pixels_is_refused(pixels: dict[str, Any]) -> None:
    with pytest.raises(UndecodableImage, match="Pixel Data of integers"):
        read(radiograph_file(LEVELS, **{"PixelData": None, **pixels}))
