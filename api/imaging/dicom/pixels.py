"""From pixel data to samples: one decoder for each coding, and none that is merely tried.

JPEG of 8 bits goes to libjpeg-turbo with its warnings as errors, as other JPEG files do. All other codecs are those of
imagecodecs: they neither crash on damaged data, as others have been seen to, nor hold the interpreter while they work.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
from api.imaging.jpeg import JpegFile, open_jpeg

_LOSSLESS = 0xC3
_ADOBE_RGB = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"  # "no colour transform" (ITU-T T.872, section 6.5.3)
# Segments of the full length: libjpeg-turbo passes over shorter ones.
_TELLS_COLOURS = re.compile(rb"\xff(\xee(\0[\x0e-\xff]|[^\0].)Adobe|\xe0(\0[\x10-\xff]|[^\0].)JFIF\0)", re.DOTALL)

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
    subsampled = image.photometric_interpretation == "YBR_FULL_422"
    samples = image.rows * image.columns * 2 if subsampled else image.samples
    if element.fragments is not None or len(element.value) * 8 < samples * image.bits_allocated:
        raise UndecodableImage(
            f"The DICOM image must have {samples * image.bits_allocated // 8} bytes of Pixel Data. "
            f"Received: {len(element.value)}, or compressed ones. Send the complete file."
        )
    if subsampled:
        return _native_422(element, image, samples)
    kind = np.dtype(f"{element.encoding.byte_order}u{image.bits_allocated // 8}")
    values = np.frombuffer(_in_byte_order(element, image), kind, samples)
    return _to_samples(values, image, by_plane=image.by_plane)


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
    with refusing_damage("dicom"):
        decoded = dicomrle_decode(_frame(element), kind, out=image.samples * kind.itemsize)
    if len(decoded) != image.samples * kind.itemsize:
        raise damaged("dicom")
    return _to_samples(np.frombuffer(decoded, kind), image, by_plane=True)


def _read_jpeg(element: Element, image: ImagePixel) -> Samples:
    codestream = read_jpeg(_frame(element))
    check_fits(codestream, image)
    if codestream.precision == 8 and codestream.process != _LOSSLESS:
        with refusing_damage("dicom"):
            return Samples(_lossy_jpeg(codestream, image).read_pixels(), *_bits(image, 8))
    # Colours are taken as they are coded: the DICOM header says what they are.
    colours = "RGB" if image.samples_per_pixel == 3 else None
    with refusing_damage("dicom"):
        decoded = jpeg8_decode(codestream.data, colorspace=colours, outcolorspace=colours)
    return _from_codestream(decoded, codestream, image)


def _lossy_jpeg(codestream: Codestream, image: ImagePixel) -> JpegFile:
    """Open a JPEG file whose colour space is that of the DICOM header where the file itself does not tell it."""
    file = open_jpeg(codestream.data)
    head = codestream.data[: codestream.data.find(b"\xff\xda")]
    if image.photometric_interpretation != "RGB" or _TELLS_COLOURS.search(head):
        return file
    return replace(file, coded=file.coded[:2] + _ADOBE_RGB + file.coded[2:])


def _read_jpeg_ls(element: Element, image: ImagePixel) -> Samples:
    codestream = read_jpeg(_frame(element))
    check_fits(codestream, image)
    with refusing_damage("dicom"):
        decoded = jpegls_decode(codestream.data)
    return _from_codestream(decoded, codestream, image)


def _read_jpeg_2000(element: Element, image: ImagePixel) -> Samples:
    codestream = read_jpeg_2000(_frame(element))
    check_fits(codestream, image)
    with refusing_damage("dicom"):
        decoded = jpeg2k_decode(codestream.data)
    return _from_codestream(decoded, codestream, image)


_DECODERS: Mapping[Coding, Callable[[Element, ImagePixel], Samples]] = {
    Coding.NATIVE: _read_native,
    Coding.RLE: _read_rle,
    Coding.JPEG: _read_jpeg,
    Coding.JPEG_LS: _read_jpeg_ls,
    Coding.JPEG_2000: _read_jpeg_2000,
}


def _frame(element: Element) -> bytes:
    """Join the fragments of the one frame (PS3.5, section A.4)."""
    if not element.fragments:
        raise damaged("dicom")
    return b"".join(element.fragments)


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
