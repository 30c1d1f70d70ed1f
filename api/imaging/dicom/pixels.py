"""From pixel data to samples: one decoder for each coding, and none that is merely tried.

JPEG of 8 bits goes to libjpeg-turbo with its warnings as errors, as other JPEG files do. All other codecs are those of
imagecodecs: they neither crash on damaged data, as others have been seen to, nor hold the interpreter while they work.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from imagecodecs import dicomrle_decode, jpeg2k_decode, jpeg8_decode, jpegls_decode
from numpy.typing import NDArray

from api.errors import UndecodableImage
from api.imaging.bands import row_bands
from api.imaging.damage import damaged, refusing_damage
from api.imaging.dicom.codestream import Codestream, check_fits, read_jpeg, read_jpeg_2000
from api.imaging.dicom.file import DicomFile
from api.imaging.dicom.image_pixel import ImagePixel
from api.imaging.dicom.structure import PIXEL_DATA, Element
from api.imaging.dicom.transfer_syntaxes import Coding, coding_of
from api.imaging.jpeg import decode_8_bits, without_metadata
from api.imaging.jpeg_stream import BASELINE, EXTENDED, JPEG_LS, LOSSLESS, JpegHead
from api.imaging.limits import check_one_frame

_ADOBE_RGB = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"  # "no colour transform" (ITU-T T.872, section 6.5.3)
# Segments of the full length: libjpeg-turbo passes over shorter ones.
_TELLS_COLOURS = re.compile(rb"\xff(\xee(\0[\x0e-\xff]|[^\0].)Adobe|\xe0(\0[\x10-\xff]|[^\0].)JFIF\0)", re.DOTALL)
_CODESTREAM_START = 4  # bytes: no fragment within a codestream begins as its first one
_END = 2  # bytes
_OTHER_BYTES = bytes(range(0xFF)) * 8  # the first makes data of a last byte FF
_PADDING = 1  # bytes; a value has an even length

# Its decoder gives red, green and blue.
_COLOURS_OF_JPEG_2000 = ("YBR_ICT", "YBR_RCT")

Sampled = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Samples:
    """Pixels as they are stored, one for each place, shape ``[rows, columns]``.

    The lowest of `bits_stored` bits of a sample is that below `high_bit` by as many, less one; what lies beyond them is
    no part of the image. Of colour images, the samples are the luma (ITU-R BT.601).
    """

    values: Sampled
    bits_stored: int
    high_bit: int


def read_samples(file: DicomFile, image: ImagePixel) -> Samples:
    """Decode the pixels.

    Raises
    ------
    UndecodableImage
        There are none, they are not whole, or they are not what the header says.
    """
    element = file.pixel_data
    if element is None or element.tag != PIXEL_DATA or not len(element.value):
        raise UndecodableImage("The DICOM object must hold Pixel Data of integers. Received: none.")
    coding = coding_of(file.transfer_syntax)
    if image.photometric_interpretation in _COLOURS_OF_JPEG_2000 and coding is not Coding.JPEG_2000:
        raise UndecodableImage("A DICOM image in YBR_ICT or YBR_RCT must be in JPEG 2000. Received: another coding.")
    return _DECODERS[coding](element, image)


def _read_native(element: Element, image: ImagePixel) -> Samples:
    subsampled = _is_subsampled(element, image)
    samples = image.rows * image.columns * 2 if subsampled else image.samples
    length, needed = len(element.value), samples * image.bits_allocated // 8
    if element.fragments is not None or length < needed:
        raise UndecodableImage(
            f"The DICOM image must have {needed} bytes of Pixel Data. "
            f"Received: {length}, or compressed ones. Send the complete file."
        )
    check_one_frame(length >= 2 * needed and length - needed > _PADDING)
    if subsampled:
        return _native_422(element, image, samples)
    kind = np.dtype(f"{element.encoding.byte_order}u{image.bits_allocated // 8}")
    values = np.frombuffer(_in_byte_order(element, image), kind, samples)
    return _to_samples(values, image, by_plane=image.by_plane)


def _is_subsampled(element: Element, image: ImagePixel) -> bool:
    # A common error of writers: the name of subsampled colours, and yet all samples of each pixel.
    whole = image.samples * image.bits_allocated // 8
    return image.photometric_interpretation == "YBR_FULL_422" and len(element.value) not in (whole, whole + whole % 2)


def _in_byte_order(element: Element, image: ImagePixel) -> bytes | memoryview:
    # Bytes that were written as big-endian words stand in pairs, the second first (PS3.5, section 8.1.1).
    if image.bits_allocated == 16 or element.encoding.little_endian or element.vr != "OW":
        return element.value
    return np.frombuffer(element.value, ">u2", len(element.value) // 2).astype("<u2").tobytes()


def _native_422(element: Element, image: ImagePixel, samples: int) -> Samples:
    """Take the luma: two pixels are written as Y, Y, Cb, Cr (PS3.3, section C.7.6.3.1.2)."""
    if image.bits_allocated != 8 or image.columns % 2:
        raise UndecodableImage("A DICOM image in YBR_FULL_422 must have 8 bits and an even number of columns.")
    pairs = np.frombuffer(_in_byte_order(element, image), np.uint8, samples).reshape(-1, 4)
    return Samples(pairs[:, :2].reshape(image.rows, image.columns), 8, 7)


def _read_rle(element: Element, image: ImagePixel) -> Samples:
    kind = np.dtype(f"<u{image.bits_allocated // 8}")
    frame = _frame(element)
    with refusing_damage("dicom"):
        decoded = dicomrle_decode(frame, kind, out=image.samples * kind.itemsize)
    if len(decoded) != image.samples * kind.itemsize:
        raise damaged("dicom")
    return _to_samples(np.frombuffer(decoded, kind), image, by_plane=True)


def _read_jpeg(element: Element, image: ImagePixel) -> Samples:
    codestream = read_jpeg(_frame(element), (BASELINE, EXTENDED))
    if codestream.precision != 8 or codestream.head is None:
        return _by_libjpeg(codestream, image)
    check_fits(codestream, image)
    with refusing_damage("dicom"):
        pixels = decode_8_bits(_with_colours(codestream.data, codestream.head, image))
    return Samples(pixels, *_bits(image, 8))


def _with_colours(data: bytes, head: JpegHead, image: ImagePixel) -> bytes:
    """Give a stream whose colour space is that of the DICOM header where the stream itself does not tell it."""
    coded = without_metadata(data, head)
    if image.photometric_interpretation != "RGB" or _TELLS_COLOURS.search(data[: head.scans_start]):
        return coded
    return coded[:2] + _ADOBE_RGB + coded[2:]


def _read_jpeg_lossless(element: Element, image: ImagePixel) -> Samples:
    return _by_libjpeg(read_jpeg(_frame(element), (LOSSLESS,)), image)


def _by_libjpeg(codestream: Codestream, image: ImagePixel) -> Samples:
    # Colours are taken as they are coded: the DICOM header says what they are.
    colours = "RGB" if image.samples_per_pixel == 3 else None
    return _decoded(codestream, image, partial(_decode_whole, colours=colours))


def _decode_whole(data: bytes, colours: str | None) -> NDArray[np.generic]:
    """Decode a codestream, or refuse one that is cut off.

    libjpeg makes up what is missing and warns of it, and imagecodecs does not hand the warning on. But then other bytes
    before the end make other pixels, and behind a whole image they make none.
    """
    decode = partial(jpeg8_decode, colorspace=colours, outcolorspace=colours)
    expected = zlib.crc32(decode(data).data)
    decoded: NDArray[np.generic] = decode(data[:-_END] + _OTHER_BYTES + data[-_END:])
    if zlib.crc32(decoded.data) != expected:
        raise damaged("dicom")
    return decoded


def _read_jpeg_ls(element: Element, image: ImagePixel) -> Samples:
    return _decoded(read_jpeg(_frame(element), (JPEG_LS,)), image, jpegls_decode)


def _read_jpeg_2000(element: Element, image: ImagePixel) -> Samples:
    return _decoded(read_jpeg_2000(_frame(element)), image, jpeg2k_decode)


def _decoded(codestream: Codestream, image: ImagePixel, decode: Callable[[bytes], NDArray[np.generic]]) -> Samples:
    check_fits(codestream, image)
    with refusing_damage("dicom"):
        decoded = decode(codestream.data)
    return _from_codestream(decoded, codestream, image)


_DECODERS: Mapping[Coding, Callable[[Element, ImagePixel], Samples]] = {
    Coding.NATIVE: _read_native,
    Coding.RLE: _read_rle,
    Coding.JPEG: _read_jpeg,
    Coding.JPEG_LOSSLESS: _read_jpeg_lossless,
    Coding.JPEG_LS: _read_jpeg_ls,
    Coding.JPEG_2000: _read_jpeg_2000,
}


def _frame(element: Element) -> bytes:
    """Join the fragments of the one frame (PS3.5, section A.4)."""
    fragments = element.fragments
    if not fragments:
        raise damaged("dicom")
    starts = [bytes(fragment[:_CODESTREAM_START]) for fragment in fragments]
    again = starts[0].startswith(b"\xff") and starts.count(starts[0]) > 1
    check_one_frame(again or _entries_of_the_offset_table(element) > 1)
    return b"".join(fragments)


def _entries_of_the_offset_table(element: Element) -> int:
    """Count the entries of the Basic Offset Table, which has one for each frame of four bytes."""
    return element.encoding.integer(element.value[4:8]) // 4


def _from_codestream(decoded: NDArray[np.generic], codestream: Codestream, image: ImagePixel) -> Samples:
    if decoded.size != image.samples or decoded.dtype.itemsize > 2:
        raise damaged("dicom")
    # Signed samples are read as bits, like all others: the header says what they mean.
    values = decoded.view(f"u{decoded.dtype.itemsize}")
    bits_stored, high_bit = _bits(image, codestream.precision)
    by_plane = decoded.shape[-1] != image.samples_per_pixel
    samples = _to_samples(values.reshape(-1), image, by_plane=by_plane)
    return replace(samples, bits_stored=bits_stored, high_bit=high_bit)


def _bits(image: ImagePixel, precision: int) -> tuple[int, int]:
    """Bits stored and high bit of decoded samples: a codestream of fewer bits than the header has the last word."""
    return min(image.bits_stored, precision), min(image.high_bit, precision - 1)


def _to_samples(values: Sampled, image: ImagePixel, *, by_plane: bool) -> Samples:
    size = image.rows, image.columns
    if image.samples_per_pixel == 1:
        return Samples(values.reshape(size), image.bits_stored, image.high_bit)
    colours = np.moveaxis(values.reshape(3, *size), 0, -1) if by_plane else values.reshape(*size, 3)
    of_red_green_blue = image.photometric_interpretation in ("RGB", *_COLOURS_OF_JPEG_2000)
    return Samples(_luma(colours) if of_red_green_blue else colours[..., 0], image.bits_stored, image.high_bit)


def _luma(colours: Sampled) -> Sampled:
    height, width, _ = colours.shape
    luma = np.empty((height, width), colours.dtype.newbyteorder("="))
    for rows in row_bands(height, width):
        red, green, blue = (colours[rows, :, channel].astype(np.uint32) for channel in range(3))
        luma[rows] = (red * 299 + green * 587 + blue * 114 + 500) // 1000
    return luma
