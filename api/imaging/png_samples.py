"""From the samples of a PNG file to grey levels: colour becomes luma, transparency is composited over black.

Whole frames exist twice at most: as the decoder gives them, and as grey levels. All between is done in bands.
"""

import io
from collections.abc import Callable

import numpy as np
import pyspng
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from api.imaging.bands import row_bands
from api.imaging.damage import refusing_damage
from api.imaging.png import CHANNELS, ColourType, PngFile, PngHeader


def read_grey(file: PngFile) -> NDArray[np.uint8]:
    """Decode to grey levels, shape ``[height, width]``, as stored: not turned upright.

    Colour becomes luma (ITU-R BT.601). 16 bits are divided by the smallest power of two above the maximum, at least
    256, and spread over 0 to 255.

    Raises
    ------
    UndecodableImage
        The file is corrupt.
    """
    if file.header.bit_depth < 16:
        return _in_bands(file.header, _bands_of_8_bits(file))
    grey = file.header.colour_type is ColourType.GREY
    bands = _bands_of_16_bit_grey(file) if grey else _bands_of_16_bit_colour(file)
    return _in_bands(file.header, _scaled_to_8_bits(file.header, bands))


def _in_bands(header: PngHeader, levels: Callable[[slice], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    grey = np.empty((header.height, header.width), np.uint8)
    for rows in row_bands(*grey.shape):
        grey[rows] = levels(rows)
    return grey


def _scaled_to_8_bits(
    header: PngHeader, levels: Callable[[slice], NDArray[np.uint16]]
) -> Callable[[slice], NDArray[np.uint8]]:
    maximum = max(int(levels(rows).max()) for rows in row_bands(header.height, header.width))
    shift = np.uint16(max(8, maximum.bit_length()) - 8)
    return lambda rows: (levels(rows) >> shift).astype(np.uint8)


def _bands_of_8_bits(file: PngFile) -> Callable[[slice], NDArray[np.uint8]]:
    image = _open(file)
    colour_type = file.header.colour_type
    if colour_type is ColourType.PALETTE:
        look_up = _palette_levels(file)
        return lambda rows: look_up[np.asarray(_crop(image, rows))]
    if colour_type in (ColourType.GREY_ALPHA, ColourType.RGBA):
        return lambda rows: _over_black(_crop(image, rows))
    transparent = _transparent_colour(file)
    return lambda rows: _without_colour(_crop(image, rows), transparent)


def _open(file: PngFile) -> PngImageFile:
    # Not Image.open: it warns of large images, and warnings are no business of a worker thread. The size is checked.
    with refusing_damage("png"):
        image = PngImageFile(io.BytesIO(file.bare))
        image.load()
    return image


def _crop(image: Image.Image, rows: slice) -> Image.Image:
    return image.crop((0, rows.start, image.width, rows.stop))


def _palette_levels(file: PngFile) -> NDArray[np.uint8]:
    """Grey levels of the palette's entries, shape ``[256]``; entries that are not there are black, as in libpng."""
    levels = np.zeros(256, np.uint8)
    colours = Image.frombytes("RGB", (len(file.palette) // 3, 1), file.palette)
    alpha = np.frombuffer(file.transparency.ljust(256, b"\xff")[: colours.width], np.uint8)
    levels[: colours.width] = _times_alpha(np.asarray(colours.convert("L"))[0], alpha)
    return levels


def _over_black(band: Image.Image) -> NDArray[np.uint8]:
    return _times_alpha(np.asarray(band.convert("L")), np.asarray(band.getchannel("A")))


def _times_alpha(levels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ((levels.astype(np.uint16) * alpha + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def _without_colour(band: Image.Image, transparent: NDArray[np.uint16] | None) -> NDArray[np.uint8]:
    levels = np.array(band.convert("L"))
    if transparent is not None:
        samples = np.asarray(band.convert("L") if band.mode == "1" else band).reshape(*levels.shape, -1)
        levels[(samples == transparent).all(axis=-1)] = 0
    return levels


def _transparent_colour(file: PngFile) -> NDArray[np.uint16] | None:
    """Give the colour of grey and RGB images that is fully transparent (section 11.3.2.1), as the decoders give it."""
    channels = CHANNELS[file.header.colour_type]
    if len(file.transparency) != 2 * channels or file.header.colour_type not in (ColourType.GREY, ColourType.RGB):
        return None
    colour = np.frombuffer(file.transparency, ">u2").astype(np.uint16)
    spread = {1: 255, 2: 85, 4: 17}.get(file.header.bit_depth, 1)
    return colour * np.uint16(spread)


def _bands_of_16_bit_grey(file: PngFile) -> Callable[[slice], NDArray[np.uint16]]:
    image = _open(file)
    transparent = _transparent_colour(file)

    def levels(rows: slice) -> NDArray[np.uint16]:
        band = np.array(_crop(image, rows), dtype=np.uint16)
        if transparent is not None:
            band[band == transparent] = 0
        return band

    return levels


def _bands_of_16_bit_colour(file: PngFile) -> Callable[[slice], NDArray[np.uint16]]:
    # Pillow keeps 16 bits of grey, but only the upper 8 of colour and alpha: those go through libspng.
    with refusing_damage("png"):
        rgba = pyspng.c.spng_decode_image_bytes(file.bare, pyspng.c.SPNG_FMT_RGBA16)
    transparent = _transparent_colour(file)
    for rows in row_bands(file.header.height, file.header.width):
        rgba[rows, :, 0] = _composite_16_bit(rgba[rows], transparent)
    return lambda rows: rgba[rows, :, 0]


def _composite_16_bit(rgba: NDArray[np.uint16], transparent: NDArray[np.uint16] | None) -> NDArray[np.uint16]:
    red, green, blue, alpha = (rgba[..., channel].astype(np.uint32) for channel in range(4))
    luma = (red * 299 + green * 587 + blue * 114 + 500) // 1000
    if transparent is not None:
        alpha[(rgba[..., :3] == transparent).all(axis=-1)] = 0
    return ((luma * alpha + 32767) // 65535).astype(np.uint16)
