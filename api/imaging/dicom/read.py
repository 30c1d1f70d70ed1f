"""From the bytes of a DICOM file to a radiograph."""

from api.imaging.dicom.file import read_file
from api.imaging.dicom.grey_levels import to_grey
from api.imaging.dicom.image_pixel import read_image_pixel
from api.imaging.dicom.pixels import read_samples
from api.imaging.dicom.tags import read_acquisition, read_study
from api.types import DicomSource, Radiograph


def read_radiograph(data: bytes, max_pixels: int) -> Radiograph:
    """Read a DICOM file of one frame.

    Parameters
    ----------
    data
        The whole file, with preamble.
    max_pixels
        Largest number of pixels that the header may claim.

    Raises
    ------
    UnsupportedMediaType
        The transfer syntax is not supported.
    ImageTooLarge
        The header claims more than `max_pixels`.
    UndecodableImage
        The file is damaged, holds no pixels or several frames, or is too deep or too much divided.
    """
    file = read_file(data, max_pixels)
    image = read_image_pixel(file.header, max_pixels)
    pixels = to_grey(read_samples(file, image), image, file.header)
    source = DicomSource(file.header, read_acquisition(file.header), read_study(file.header))
    return Radiograph(pixels, "dicom", image.bits_stored, source)
