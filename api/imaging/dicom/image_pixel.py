"""What the header says of the pixels: the Image Pixel Module (PS3.3, section C.7.6.3)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pydicom import Dataset

from api.errors import UndecodableImage
from api.imaging.dicom.values import integers, numbers, text
from api.imaging.limits import check_one_frame, check_size

PhotometricInterpretation: TypeAlias = Literal[
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"
]
_SAMPLES_PER_PIXEL: dict[str, int] = {
    name: 1 if name in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR") else 3
    for name in get_args(PhotometricInterpretation)
}
_BITS_ALLOCATED = (8, 16)


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """Size and form of the pixels: the lowest of `bits_stored` bits is that below `high_bit` by as many, less one."""

    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    by_plane: bool

    @property
    def samples(self) -> int:
        """Number of samples in the image."""
        return self.rows * self.columns * self.samples_per_pixel


def read_image_pixel(header: Dataset, max_pixels: int) -> ImagePixel:
    """Read the module and check it.

    Raises
    ------
    ImageTooLarge
        The image has more than `max_pixels`, or more samples than that: decoders make all of them at once.
    UndecodableImage
        A value is missing, or not that of a radiograph of one frame and up to 16 bits.
    """
    rows, columns = _required(header, 0x00280010, "Rows"), _required(header, 0x00280011, "Columns")
    samples = _optional(header, 0x00280002, 1)
    check_size(columns, rows, max_pixels, samples)
    check_one_frame(_frames(header) != 1)
    photometric_interpretation = text(header, 0x00280004).upper()
    if _SAMPLES_PER_PIXEL.get(photometric_interpretation) != samples:
        raise UndecodableImage(
            f"The DICOM tags must hold a Photometric Interpretation of {', '.join(_SAMPLES_PER_PIXEL)}, with 1 or 3 "
            f"Samples per Pixel as it takes. Received: another one, or {samples} samples."
        )
    allocated, stored, high_bit = _bits(header)
    return ImagePixel(
        rows=rows,
        columns=columns,
        samples_per_pixel=samples,
        photometric_interpretation=photometric_interpretation,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=_optional(header, 0x00280103, 0) == 1,
        by_plane=samples == 3 and _optional(header, 0x00280006, 0) == 1,
    )


def _frames(header: Dataset) -> float:
    """Read the Number of Frames: 1 where it is missing or smaller, 0 where it is no number."""
    frames = numbers(header, 0x00280008)[:1] if text(header, 0x00280008) else (1.0,)
    return max(1.0, frames[0]) if frames else 0.0


def _bits(header: Dataset) -> tuple[int, int, int]:
    allocated = _required(header, 0x00280100, "Bits Allocated")
    stored = _optional(header, 0x00280101, allocated)
    high_bit = _optional(header, 0x00280102, stored - 1)
    if allocated not in _BITS_ALLOCATED or not 1 <= stored <= high_bit + 1 <= allocated:
        raise UndecodableImage(
            "The DICOM image must have 8 or 16 Bits Allocated, and within them its Bits Stored up to the High Bit. "
            f"Received: bits_allocated={allocated}, bits_stored={stored}, high_bit={high_bit}."
        )
    return allocated, stored, high_bit


def _required(header: Dataset, tag: int, name: str) -> int:
    found = integers(header, tag)
    if len(found) != 1:
        raise UndecodableImage(f"The DICOM image must have one number in the tag {name}. Received: {len(found)}.")
    return found[0]


def _optional(header: Dataset, tag: int, default: int) -> int:
    return next(iter(integers(header, tag)), default)
