"""The DICOM file format (PS3.10, section 7): preamble, File Meta Information, data set."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from pydicom import Dataset
from pydicom.dataelem import RawDataElement, empty_value_for_VR
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.valuerep import STANDARD_VR

from api.errors import UndecodableImage
from api.imaging.damage import damaged
from api.imaging.dicom.structure import PIXELS, Element, Encoding, Structure
from api.imaging.dicom.transfer_syntaxes import DEFLATED, encoding_of

_START = 132  # preamble and prefix
_META_GROUP = 2
_META_ENCODING = Encoding(explicit_vr=True, little_endian=True)
_TRANSFER_SYNTAX_UID = 0x00020010
_INFLATED_BYTES_PER_PIXEL = 2  # an image has at most as many samples as the limit allows pixels
_INFLATED_HEADER = 1 << 20
_INFLATED_STEP = 1 << 20
_LOOKUP_TABLES = frozenset({0x00283000, 0x00283010, *range(0x00281201, 0x00281204), *range(0x00281221, 0x00281224)})
_LONGEST_TABLE = 4 << 20
_LONGEST_VALUE = 1 << 16
_LONGEST_HEADER = 16 << 20


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A file whose structure is whole.

    `header` is its data set without the pixels and without long values other than lookup tables; its values are not
    read yet.
    """

    transfer_syntax: str
    header: Dataset = field(repr=False)
    pixel_data: Element | None


def read_file(data: bytes, max_pixels: int) -> DicomFile:
    """Find the data elements of a file.

    The header is made of the elements that the walk has found, and not by another parser, which might see other ones.

    Raises
    ------
    UndecodableImage
        The file is not whole, or holds more than a radiograph does; a deflated one, more than `max_pixels` take.
    UnsupportedMediaType
        The transfer syntax is not supported.
    """
    meta, start = _read_meta(memoryview(data))
    transfer_syntax = _transfer_syntax(meta)
    encoding = encoding_of(transfer_syntax)
    body = memoryview(data)
    if transfer_syntax == DEFLATED:
        body, start = _inflate(data[start:], _INFLATED_BYTES_PER_PIXEL * max_pixels + _INFLATED_HEADER), 0
    elements = list(Structure(body).elements(start, _observed(body[start : start + 6], encoding)))
    header = to_dataset(_kept(elements))
    header.file_meta = FileMetaDataset({BaseTag(element.tag): _raw(element) for element in meta})
    return DicomFile(transfer_syntax, header, next((e for e in elements if e.tag in PIXELS), None))


def _observed(first: memoryview, encoding: Encoding) -> Encoding:
    # Some writers name the default transfer syntax and write explicit VR; as a length, its letters are above 16 KiB.
    has_vr = bytes(first[4:]).decode("latin-1") in STANDARD_VR
    return Encoding(True, encoding.little_endian) if has_vr else encoding


def _kept(elements: Iterable[Element]) -> list[Element]:
    """Leave out the pixels and what nothing is read of, so that it does not stay in memory with the header."""
    kept = [
        element
        for element in elements
        if element.tag not in PIXELS
        and len(element.value) <= (_LONGEST_TABLE if element.tag in _LOOKUP_TABLES else _LONGEST_VALUE)
    ]
    if sum(len(element.value) for element in kept) > _LONGEST_HEADER:
        raise UndecodableImage(
            f"A DICOM header must have at most {_LONGEST_HEADER} bytes in values of up to {_LONGEST_VALUE}. "
            "Received: more."
        )
    return kept


def to_dataset(elements: Iterable[Element]) -> Dataset:
    """Make a data set of elements; pydicom interprets a value when it is asked for, and not before."""
    return Dataset({BaseTag(element.tag): _raw(element) for element in elements})


def _read_meta(data: memoryview) -> tuple[list[Element], int]:
    """Read the elements of group 2 and tell where the data set starts."""
    meta = list(Structure(data).elements(_START, _META_ENCODING, _META_GROUP))
    return meta, meta[-1].end if meta else _START


def _transfer_syntax(meta: Iterable[Element]) -> str:
    value = next((bytes(element.value) for element in meta if element.tag == _TRANSFER_SYNTAX_UID), b"")
    uid = value.decode("latin-1").rstrip("\0 ")
    if not uid:
        raise UndecodableImage("The DICOM file must name its transfer syntax. Received: none.")
    return uid


def _inflate(data: bytes, limit: int) -> memoryview:
    """Inflate a data set without header or check sum (PS3.5, section A.5) up to a limit."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated, piece = bytearray(), b""
    try:
        # In pieces: inflated at once, all of it would be in memory twice.
        while not inflater.eof and len(inflated) <= limit and (piece or data):
            piece = inflater.decompress(data, _INFLATED_STEP)
            data = inflater.unconsumed_tail
            inflated += piece
    except zlib.error as error:
        raise damaged("dicom") from error
    if len(inflated) > limit:
        raise UndecodableImage(f"A deflated DICOM data set must have at most {limit} bytes. Received: more.")
    if not inflater.eof:
        raise damaged("dicom")
    return memoryview(inflated)


def _raw(element: Element) -> RawDataElement:
    vr, encoding = element.vr, element.encoding
    value = bytes(element.value) or cast(bytes | None, empty_value_for_VR(vr, raw=True))
    return RawDataElement(
        BaseTag(element.tag), vr, len(element.value), value, 0, not encoding.explicit_vr, encoding.little_endian
    )
