"""Transfer syntaxes that are read (PS3.6, section A): how the data set is written, and how its pixels are coded."""

from enum import Enum, auto

from pydicom import config
from pydicom.uid import UID

from api.errors import UnsupportedMediaType
from api.imaging.dicom.structure import Encoding

IMPLICIT, EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


class Coding(Enum):
    """How pixels are coded."""

    NATIVE = auto()
    RLE = auto()
    JPEG = auto()
    JPEG_LOSSLESS = auto()
    JPEG_LS = auto()
    JPEG_2000 = auto()


_CODINGS = {
    IMPLICIT: Coding.NATIVE,
    EXPLICIT_LITTLE: Coding.NATIVE,
    EXPLICIT_BIG: Coding.NATIVE,
    DEFLATED: Coding.NATIVE,
    "1.2.840.10008.1.2.5": Coding.RLE,
    "1.2.840.10008.1.2.4.50": Coding.JPEG,  # baseline, 8 bits
    "1.2.840.10008.1.2.4.51": Coding.JPEG,  # extended, 8 and 12 bits
    "1.2.840.10008.1.2.4.57": Coding.JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.70": Coding.JPEG_LOSSLESS,  # first-order prediction
    "1.2.840.10008.1.2.4.80": Coding.JPEG_LS,  # lossless
    "1.2.840.10008.1.2.4.81": Coding.JPEG_LS,  # near-lossless
    "1.2.840.10008.1.2.4.90": Coding.JPEG_2000,  # lossless
    "1.2.840.10008.1.2.4.91": Coding.JPEG_2000,
    "1.2.840.10008.1.2.4.201": Coding.JPEG_2000,  # high throughput, lossless
    "1.2.840.10008.1.2.4.202": Coding.JPEG_2000,  # high throughput, lossless, by resolution
    "1.2.840.10008.1.2.4.203": Coding.JPEG_2000,  # high throughput
}


def coding_of(transfer_syntax: str) -> Coding:
    """Tell how a transfer syntax codes pixels.

    Raises
    ------
    UnsupportedMediaType
        It is none of those that are read.
    """
    if transfer_syntax in _CODINGS:
        return _CODINGS[transfer_syntax]
    # A made-up identifier could say anything, so that only those of the standard are repeated.
    name = UID(transfer_syntax, config.IGNORE).name
    received = f"{name} ({transfer_syntax})" if name != transfer_syntax else "another one"
    raise UnsupportedMediaType(
        "The DICOM transfer syntax must be uncompressed, RLE, JPEG, JPEG-LS, JPEG 2000 or HTJ2K. "
        f"Received: {received}. Send the object in a supported one, such as Explicit VR Little Endian."
    )


def encoding_of(transfer_syntax: str) -> Encoding:
    """Tell how a transfer syntax writes data elements.

    Raises
    ------
    UnsupportedMediaType
        It is none of those that are read.
    """
    coding_of(transfer_syntax)
    return Encoding(transfer_syntax != IMPLICIT, transfer_syntax != EXPLICIT_BIG)
