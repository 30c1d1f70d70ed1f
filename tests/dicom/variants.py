"""The ways in which DICOM may store one radiograph: each takes grey levels and gives the bytes of a file.

`PIXELS`, `GREY_LEVELS`, `COLOURS` and `SYNTAXES` keep every level to within rounding. `LOSSY` do not; their settings
are those that the programs choose by themselves, or ones that are usual for diagnostic images.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from tests.dicom.files import Storage, by_dcmtk, dataset, encoded, radiograph_file, ramp, with_jpeg, written

Levels: TypeAlias = NDArray[np.uint8]
Variant: TypeAlias = Callable[[Levels], bytes]

_TWELVE = Storage(12)
_SIGNED_INVERTED = Storage(12, signed=True, inverted=True)
_DEPTHS = (Storage(8), _TWELVE, _SIGNED_INVERTED, Storage(16))


def name_of(storage: Storage) -> str:
    """Say how grey levels are stored: ``12-bit signed MONOCHROME1``."""
    return f"{storage.bits}-bit{' signed' if storage.signed else ''} MONOCHROME{1 if storage.inverted else 2}"


def _stored(storage: Storage, syntax: UID = ExplicitVRLittleEndian, **attributes: Any) -> Variant:
    return lambda levels: radiograph_file(levels, storage, syntax=syntax, **attributes)


def _compressed(storage: Storage, syntax: UID, **choices: Any) -> Variant:
    return lambda levels: written(encoded(dataset(levels, storage), syntax, **choices))


def _through_dcmtk(storage: Storage, *command: str) -> Variant:
    return lambda levels: by_dcmtk(radiograph_file(levels, storage), *command)


PIXELS: Mapping[str, Variant] = {
    name_of(storage): _stored(storage)
    for storage in (
        Storage(bits, signed, inverted)
        for bits in (8, 10, 12, 14, 16)
        for signed in (False, True)
        for inverted in (False, True)
    )
}


def _overlay_in_the_unused_bits(levels: Levels) -> bytes:
    made = dataset(levels, _TWELVE)
    values = np.frombuffer(made.PixelData, "<u2").copy()
    values[::3] |= 0xF000
    made.PixelData = values.tobytes()
    return written(made)


def _modality_table(levels: Levels) -> bytes:
    made = dataset(levels, _TWELVE, modality="CR", RescaleSlope=None, RescaleIntercept=None, RescaleType=None)
    table = ramp(0, 4095)
    table.ModalityLUTType = "US"
    made.ModalityLUTSequence = [table]
    made.WindowCenter, made.WindowWidth = "32768", "65536"
    return written(made)


def _rescaled_by_minus_one(levels: Levels) -> bytes:
    storage = Storage(12, inverted=True, rescale=(-1, 4095))
    return radiograph_file(levels, storage, modality="CR", PhotometricInterpretation="MONOCHROME2")


_NARROW = Storage(12, low=1000, high=3040)
GREY_LEVELS: Mapping[str, Variant] = {
    **{f"{name_of(each)}, no window": _stored(each) for each in (Storage(bits, voi="none") for bits in (8, 12, 16))},
    "12-bit MONOCHROME1, no window": _stored(Storage(12, inverted=True, voi="none")),
    **{f"{name_of(each)}, VOI LUT": _stored(each) for each in (Storage(bits, voi="lut") for bits in (8, 12, 16))},
    "12-bit signed MONOCHROME1, VOI LUT": _stored(Storage(12, signed=True, inverted=True, voi="lut")),
    "levels from 1000 to 3040 under a window": _stored(_NARROW),
    "levels from 1000 to 3040 under a window, inverted": _stored(replace(_NARROW, inverted=True)),
    "levels from 1000 to 3040 under a VOI LUT": _stored(replace(_NARROW, voi="lut")),
    "levels from -900 to 1140 under a window": _stored(Storage(12, signed=True, low=-900, high=1140)),
    "rescaled by 2 and -1024": _stored(Storage(12, rescale=(2, -1024))),
    "rescaled by 2 and -1024 under a VOI LUT": _stored(Storage(12, rescale=(2, -1024), voi="lut")),
    "rescaled by a quarter": _stored(replace(_NARROW, rescale=(0.25, 10))),
    "rescaled by -1": _rescaled_by_minus_one,
    "modality LUT": _modality_table,
    "first of two windows": _stored(_TWELVE, WindowCenter=["2048", "300"], WindowWidth=["4096", "10"]),
    "exact linear window": _stored(
        _TWELVE, WindowCenter="2047.5", WindowWidth="4095", VOILUTFunction="LINEAR_EXACT"
    ),
    "overlay in the unused bits": _overlay_in_the_unused_bits,
    "CR": _stored(_TWELVE, modality="CR"),
}  # fmt: skip


def _colour(levels: Levels, photometric: str, planar: int = 0) -> Dataset:
    """Make a grey secondary capture in colour."""
    made = dataset(levels, modality="CR", WindowCenter=None, WindowWidth=None, RescaleSlope=None, RescaleIntercept=None)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.PhotometricInterpretation, made.SamplesPerPixel, made.PlanarConfiguration = photometric, 3, planar
    chroma = levels if photometric == "RGB" else np.full_like(levels, 128)
    pixels = np.stack((levels, chroma, chroma), axis=0 if planar else -1)
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return made


def _colour_jpeg(levels: Levels) -> bytes:
    made = with_jpeg(_colour(levels, "RGB"))
    made.PhotometricInterpretation = "YBR_FULL_422"
    return written(made)


def _palette(levels: Levels) -> bytes:
    """Store levels in a turned order that the palette turns back."""
    made = _colour(levels, "RGB")
    made.PhotometricInterpretation, made.SamplesPerPixel = "PALETTE COLOR", 1
    del made.PlanarConfiguration
    pixels = levels + np.uint8(100)
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    table = (np.arange(256) - 100).astype(np.uint8).astype("<u2") * 257
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", table.tobytes())
    return written(made)


COLOURS: Mapping[str, Variant] = {
    "RGB": lambda levels: written(_colour(levels, "RGB")),
    "RGB in planes": lambda levels: written(_colour(levels, "RGB", planar=1)),
    "YBR_FULL": lambda levels: written(_colour(levels, "YBR_FULL")),
    "RGB, RLE": lambda levels: written(encoded(_colour(levels, "RGB"), RLELossless)),
    "RGB, JPEG-LS": lambda levels: written(encoded(_colour(levels, "RGB"), JPEGLSLossless)),
    "RGB, JPEG 2000": lambda levels: written(encoded(_colour(levels, "RGB"), JPEG2000Lossless)),
    "RGB, JPEG lossless by dcmtk": lambda levels: by_dcmtk(written(_colour(levels, "RGB")), "dcmcjpeg"),
    "palette": _palette,
}


def _in_fragments(levels: Levels) -> bytes:
    made = encoded(dataset(levels), JPEGLSLossless)
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    made.PixelData = encapsulate([frame], fragments_per_frame=3, has_bot=False)
    return written(made)


def _high_throughput(storage: Storage, syntax: UID, **choices: Any) -> Variant:
    """Encode by OpenJPH, which pydicom does not know."""

    def make(levels: Levels) -> bytes:
        made = dataset(levels, storage)
        made.PixelData = encapsulate([bytes(imagecodecs.htj2k_encode(storage.store(levels), **choices))])
        made["PixelData"].VR = "OB"
        made.file_meta.TransferSyntaxUID = syntax
        return written(made)

    return make


_PYDICOM = (
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)
_DCMTK: Mapping[str, tuple[str, ...]] = {
    "Implicit VR Little Endian": ("dcmconv", "+ti"),
    "Explicit VR Big Endian": ("dcmconv", "+tb"),
    "Deflated Explicit VR Little Endian": ("dcmconv", "+td"),
    "RLE Lossless": ("dcmcrle",),
    "JPEG-LS Lossless": ("dcmcjpls",),
    "JPEG Lossless, first predictor": ("dcmcjpeg", "+e1"),
    "JPEG Lossless, sixth predictor": ("dcmcjpeg", "+el"),
}
SYNTAXES: Mapping[str, Variant] = {
    **{
        f"{syntax.name} by pydicom, {name_of(storage)}": _stored(storage, syntax)
        for syntax in _PYDICOM
        for storage in _DEPTHS
    },
    **{
        f"{name} by dcmtk, {name_of(storage)}": _through_dcmtk(storage, *command)
        for name, command in _DCMTK.items()
        for storage in _DEPTHS
    },
    **{
        f"{syntax.name} by OpenJPH, {name_of(storage)}": _high_throughput(storage, syntax, reversible=True, tlm=True)
        for syntax in (HTJ2KLossless, HTJ2KLosslessRPCL)
        for storage in (Storage(8), Storage(16), Storage(16, signed=True, inverted=True))
    },
    "JPEG-LS in three fragments": _in_fragments,
}

LOSSY: Mapping[str, Variant] = {
    "JPEG Baseline by Pillow, quality 95": _stored(Storage(8), JPEGBaseline8Bit),
    "JPEG Baseline by Pillow, MONOCHROME1": _stored(Storage(8, inverted=True), JPEGBaseline8Bit),
    "JPEG Baseline by Pillow, YBR_FULL_422": _colour_jpeg,
    "JPEG Baseline by dcmtk": _through_dcmtk(Storage(8), "dcmcjpeg", "+eb"),
    "JPEG Extended by dcmtk, 8-bit": _through_dcmtk(Storage(8), "dcmcjpeg", "+ee"),
    "JPEG Extended by dcmtk, 12-bit": _through_dcmtk(_TWELVE, "dcmcjpeg", "+ee"),
    "JPEG Extended by dcmtk, 12-bit MONOCHROME1": _through_dcmtk(Storage(12, inverted=True), "dcmcjpeg", "+ee"),
    "JPEG-LS near-lossless by pydicom, 8-bit": _compressed(Storage(8), JPEGLSNearLossless, jls_error=1),
    "JPEG-LS near-lossless by dcmtk, 12-bit": _through_dcmtk(_TWELVE, "dcmcjpls", "+en", "+md", "10"),
    **{
        f"JPEG 2000 by pydicom, {name_of(storage)}, a tenth": _compressed(storage, JPEG2000, j2k_cr=[10])
        for storage in _DEPTHS
    },
    **{
        f"HTJ2K by OpenJPH, {name_of(storage)}": _high_throughput(storage, HTJ2K, reversible=False, level=0.002)
        for storage in (Storage(8), Storage(16))
    },
}
