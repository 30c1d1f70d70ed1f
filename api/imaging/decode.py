"""From the bytes of a JPEG or PNG file to grey levels.

Everything a file claims about itself is checked before pixels are decoded, so that a small file cannot
make the gateway allocate a large image.
"""

import io
import struct
import warnings
import zlib

import numpy as np
import pyspng
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from api.errors import ImageTooLarge, UndecodableImage, UnsupportedMediaType
from api.types import ImageFormat, Radiograph

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_START_OF_SCAN, _JPEG_END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_PNG_COLOUR_TYPES_WITH_SEVERAL_CHANNELS = (2, 4, 6)
_EXIF_ORIENTATION = 0x0112
_LUMA = np.array([299, 587, 114], dtype=np.uint64)  # ITU-R BT.601, as Pillow's conversion to grey
_DAMAGE = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    IndexError,
    struct.error,
    zlib.error,
)


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities in metadata; the pixels decide here.
            return _decode_known(data, image_format, max_pixels)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(max_pixels) from error
    except UnidentifiedImageError as error:
        raise UndecodableImage(f"The {image_format.upper()} header is damaged.") from error
    except _DAMAGE as error:
        raise UndecodableImage(
            f"The {image_format.upper()} file is truncated or corrupt. Send the complete file."
        ) from error


def sniff_format(data: bytes) -> ImageFormat:
    """Tell the format from the first bytes; the declared media type is not trusted.

    Raises
    ------
    UnsupportedMediaType
        The content is neither JPEG nor PNG.
    """
    if data.startswith(_PNG_SIGNATURE):
        return "png"
    if data.startswith(_JPEG_SIGNATURE):
        return "jpeg"
    raise UnsupportedMediaType("The content must be a JPEG or PNG image. Received: another format.")


def _decode_known(data: bytes, image_format: ImageFormat, max_pixels: int) -> Radiograph:
    with Image.open(io.BytesIO(data), formats=[image_format.upper()]) as image:
        _check_header(image, max_pixels)
        _check_complete(data, image_format)
        bit_depth = _bit_depth(data, image_format)
        pixels = _grey_from_16_bit(image, data) if bit_depth == 16 else _grey_from_8_bit(image)
        oriented = _apply_orientation(pixels, image)
    return Radiograph(pixels=oriented, format=image_format, bit_depth=bit_depth)


def _check_header(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(max_pixels)
    if image.width < 1 or image.height < 1:
        raise UndecodableImage("The image must have at least one pixel. Received: an image of zero size.")
    if getattr(image, "n_frames", 1) > 1:
        raise UndecodableImage("The file must hold one image. Received: several frames. Send one file per frame.")


def _too_many_pixels(max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(f"The image must have at most {max_pixels} pixels. Send a smaller version of it.")


def _check_complete(data: bytes, image_format: ImageFormat) -> None:
    """Find what Pillow forgives: a missing end and wrong check sums."""
    if image_format == "jpeg":
        if data.find(_JPEG_END_OF_IMAGE, data.rfind(_JPEG_START_OF_SCAN)) < 0:
            raise UndecodableImage("The JPEG file ends before the image does. Send the complete file.")
        return
    if data.rfind(b"IEND") < 0:
        raise UndecodableImage("The PNG file ends before the image does. Send the complete file.")
    with Image.open(io.BytesIO(data), formats=["PNG"]) as copy:
        copy.verify()


def _bit_depth(data: bytes, image_format: ImageFormat) -> int:
    # PNG, section 11.2.1: the bit depth is byte 24 of the file. JPEG is 8-bit throughout this product.
    return data[24] if image_format == "png" else 8


def _grey_from_8_bit(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        image = _over_black(image)
    return np.asarray(image.convert("L"))


def _over_black(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)


def _grey_from_16_bit(image: Image.Image, data: bytes) -> NDArray[np.uint8]:
    # Pillow keeps 16 bits of grey, but only the upper 8 of colour and alpha: those go through libspng.
    if data[25] in _PNG_COLOUR_TYPES_WITH_SEVERAL_CHANNELS:
        levels = _composite_16_bit(pyspng.c.spng_decode_image_bytes(data, pyspng.c.SPNG_FMT_RGBA16))
    else:
        levels = np.asarray(image).astype(np.uint16)
    return _scale_to_8_bit(levels)


def _composite_16_bit(rgba: NDArray[np.uint16]) -> NDArray[np.uint16]:
    luma = (rgba[..., :3].astype(np.uint64) @ _LUMA + 500) // 1000
    alpha = rgba[..., 3].astype(np.uint64)
    return ((luma * alpha + 32767) // 65535).astype(np.uint16)


def _scale_to_8_bit(levels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Divide by the smallest power of two above the maximum, at least 256, and spread over 0 to 255."""
    bits = max(8, int(levels.max()).bit_length())
    return (levels >> np.uint16(bits - 8)).astype(np.uint8)


def _apply_orientation(pixels: NDArray[np.uint8], image: Image.Image) -> NDArray[np.uint8]:
    grey = Image.fromarray(pixels)
    grey.getexif()[_EXIF_ORIENTATION] = image.getexif().get(_EXIF_ORIENTATION, 1)
    return np.asarray(ImageOps.exif_transpose(grey))
