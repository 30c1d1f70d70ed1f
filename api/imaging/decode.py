"""From the bytes of a JPEG or PNG file to grey levels.

Everything a file claims about itself is checked before pixels are decoded, so that a small file cannot
make the gateway allocate a large image.
"""

from api.errors import ImageTooLarge, UndecodableImage, UnsupportedMediaType
from api.imaging import png
from api.imaging.exif import turn_upright
from api.imaging.jpeg import open_jpeg
from api.imaging.png_samples import read_grey
from api.types import ImageFormat, Radiograph

_JPEG_SIGNATURE = b"\xff\xd8\xff"


def decode(data: bytes, *, max_pixels: int) -> Radiograph:
    """Decode a JPEG or PNG file to an upright grey image.

    Colour becomes luma (BT.601), alpha is composited over black, EXIF orientation is applied. 16-bit PNG is
    divided by the smallest power of two above its maximum and stretched to 8 bits, so that 12-bit content
    in a 16-bit file does not go black.

    Parameters
    ----------
    data
        The whole file.
    max_pixels
        Largest number of pixels that the header may claim.

    Raises
    ------
    UnsupportedMediaType
        The content is neither JPEG nor PNG.
    ImageTooLarge
        The header claims more than `max_pixels`.
    UndecodableImage
        The file is truncated, corrupt, of zero size, or holds several frames.
    """
    image_format = sniff_format(data)
    decode_known = _decode_png if image_format == "png" else _decode_jpeg
    return decode_known(data, max_pixels)


def sniff_format(data: bytes) -> ImageFormat:
    """Tell the format from the first bytes; the declared media type is not trusted.

    Raises
    ------
    UnsupportedMediaType
        The content is neither JPEG nor PNG.
    """
    if data.startswith(png.SIGNATURE):
        return "png"
    if data.startswith(_JPEG_SIGNATURE):
        return "jpeg"
    raise UnsupportedMediaType("The content must be a JPEG or PNG image. Received: another format.")


def _decode_png(data: bytes, max_pixels: int) -> Radiograph:
    header = png.read_header(data)
    _check_size(header.width, header.height, max_pixels)
    file = png.read_file(data, header)
    _check_one_frame(file.several_frames)
    return Radiograph(turn_upright(read_grey(file), file.orientation), "png", header.bit_depth)


def _decode_jpeg(data: bytes, max_pixels: int) -> Radiograph:
    file = open_jpeg(data)
    _check_size(file.width, file.height, max_pixels)
    _check_one_frame(file.several_frames)
    return Radiograph(turn_upright(file.read_pixels(), file.orientation), "jpeg", file.bit_depth)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageTooLarge(f"The image must have at most {max_pixels} pixels. Send a smaller version of it.")
    if width < 1 or height < 1:
        raise UndecodableImage("The image must have at least one pixel. Received: an image of zero size.")


def _check_one_frame(several_frames: bool) -> None:
    if several_frames:
        raise UndecodableImage("The file must hold one image. Received: several frames. Send one file per frame.")
