"""From the bytes of a DICOM, JPEG or PNG file to grey levels.

Everything a file claims about itself is checked before pixels are decoded, so that a small file cannot
make the gateway allocate a large image.
"""

from collections.abc import Callable, Mapping

from api.errors import UnsupportedMediaType
from api.imaging import png
from api.imaging.dicom import read_radiograph
from api.imaging.exif import turn_upright
from api.imaging.jpeg import open_jpeg
from api.imaging.limits import check_one_frame, check_size
from api.imaging.png_samples import read_grey
from api.types import ImageFormat, Radiograph

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DICOM_PREAMBLE = 128


def decode(data: bytes, *, max_pixels: int) -> Radiograph:
    """Decode a DICOM, JPEG or PNG file to an upright grey image.

    Colour becomes luma (BT.601), alpha is composited over black, EXIF orientation is applied. 16-bit PNG is
    divided by the smallest power of two above its maximum and stretched to 8 bits, so that 12-bit content
    in a 16-bit file does not go black. DICOM is rendered as a viewer shows it, see `api.imaging.dicom.grey_levels`.

    Parameters
    ----------
    data
        The whole file.
    max_pixels
        Largest number of pixels that the header may claim.

    Raises
    ------
    UnsupportedMediaType
        The content is none of these, or DICOM in a transfer syntax that is not supported.
    ImageTooLarge
        The header claims more than `max_pixels`.
    UndecodableImage
        The file is truncated, corrupt, of zero size, or holds several frames.
    """
    image_format = sniff_format(data)
    return _DECODERS[image_format](data, max_pixels)


def sniff_format(data: bytes) -> ImageFormat:
    """Tell the format from the first bytes; the declared media type is not trusted.

    Raises
    ------
    UnsupportedMediaType
        The content is none of the three formats. A DICOM file has a preamble; bare data elements could be anything.
    """
    if data.startswith(png.SIGNATURE):
        return "png"
    if data.startswith(_JPEG_SIGNATURE):
        return "jpeg"
    if data.startswith(b"DICM", _DICOM_PREAMBLE):
        return "dicom"
    raise UnsupportedMediaType("The content must be a DICOM, JPEG or PNG image. Received: another format.")


def _decode_png(data: bytes, max_pixels: int) -> Radiograph:
    header = png.read_header(data)
    check_size(header.width, header.height, max_pixels)
    file = png.read_file(data, header)
    check_one_frame(file.several_frames)
    return Radiograph(turn_upright(read_grey(file), file.orientation), "png", header.bit_depth)


def _decode_jpeg(data: bytes, max_pixels: int) -> Radiograph:
    file = open_jpeg(data)
    frame = file.head.frame
    check_size(frame.width, frame.height, max_pixels)
    check_one_frame(file.several_frames)
    return Radiograph(turn_upright(file.read_pixels(), file.orientation), "jpeg", frame.precision)


_DECODERS: Mapping[ImageFormat, Callable[[bytes, int], Radiograph]] = {
    "dicom": read_radiograph,
    "jpeg": _decode_jpeg,
    "png": _decode_png,
}
