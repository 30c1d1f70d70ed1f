"""Copies of attributes, as the bytes that they are.

Nothing is decoded: that could fail, and pydicom's warnings may repeat a value. What was written in a character set
stays in it, so that an archive that took the image takes the answer.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping

from pydicom import DataElement, Dataset, Sequence
from pydicom.charset import convert_encodings, default_encoding, encode_string, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, STR_VR, PersonName

from api.reports.dicom.values import Check

Checks = Mapping[str, Check]

CHARACTER_SET = "SpecificCharacterSet"
_UNKNOWN_VR = frozenset((None, "UN"))
_UTF_8, _LATIN_1 = b"ISO_IR 192", b"ISO_IR 100"
_UNICODE = "utf-8"
# Text begins in another set and switches to these (PS3.3, section C.12.1.1.2). That is ASCII where it is left out.
_NEVER_FIRST = frozenset(("ISO 2022 IR 87", "ISO 2022 IR 159"))
_SWITCHING = "ISO 2022"
# Escape sequences (PS3.3, section C.12.1.1.2), and kanji of two bytes each, which may be those of a delimiter.
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_KANJI = re.compile(rb"\x1b\$(?:B|\(D)([^\x1b]*)")
# What pydicom raises when it parses one.
_BROKEN_SEQUENCE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


def value_of(header: Dataset, keyword: str) -> bytes:
    """Give the value of a text attribute without its padding; empty if there is none."""
    element = header.get_item(keyword)
    if element is None or element.VR not in STR_VR | _UNKNOWN_VR:
        return b""
    value = element.value if isinstance(element, RawDataElement) else _encoded(element, header)
    return (value or b"").strip(b" \0") if isinstance(value, bytes | None) else b""


def says_nothing(header: Dataset, keyword: str) -> bool:
    """Tell whether an attribute is missing or empty, whatever its kind."""
    element = header.get_item(keyword)
    value = None if element is None else element.value
    return not value or (isinstance(value, bytes) and not value.strip(b" \0"))


def spelled(header: Dataset, keyword: str) -> str:
    """Read the value of a text attribute so far that its characters can be counted and its delimiters are seen.

    Letters may be others than they are, as pydicom, which could tell, would warn of what it cannot decode.
    """
    value, known = value_of(header, keyword), _known_set(header)
    if known and _SWITCHING in known:
        value = _ESCAPE.sub(b"", _KANJI.sub(lambda kanji: b"x" * (len(kanji[1]) // 2), value))
        return value.decode("latin-1")
    guessed = _UNICODE if _is_utf_8(value) else "latin-1"
    return value.decode(python_encoding[known.split("\\")[0]] if known else guessed, "replace")


def copies(header: Dataset, checks: Checks) -> Iterator[RawDataElement]:
    """Copy the attributes whose value looks as it has to."""
    for keyword, is_valid in checks.items():
        value = value_of(header, keyword)
        if value and is_valid(spelled(header, keyword)):
            yield element_of(keyword, value)


def element_of(keyword: str, value: bytes) -> RawDataElement:
    """Make an attribute of text, padded to an even length with a space."""
    padded = value + b" " * (len(value) % 2)
    tag = Tag(keyword)
    return RawDataElement(tag, dictionary_VR(tag), len(padded), padded, 0, False, True)


def dataset_of(elements: Iterable[RawDataElement | DataElement]) -> Dataset:
    """Put copied attributes into a dataset of their own."""
    made = Dataset()
    for element in elements:
        made[element.tag] = element
    return made


def items_of(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Give the items of a sequence; none if it cannot be read."""
    try:
        # In a dataset of its own, as pydicom would warn of a character set that it does not know, and repeat it.
        value = dataset_of([header.get_item(keyword)])[keyword].value if keyword in header else ()
    except _BROKEN_SEQUENCE:
        return ()
    return tuple(value) if isinstance(value, Sequence) else ()


def character_set(header: Dataset, copied: Iterable[DataElement | RawDataElement]) -> RawDataElement | None:
    """Tell the character set of what was copied: the declared one, or for want of a known one what the bytes can be."""
    known = _known_set(header)
    if known:
        return element_of(CHARACTER_SET, known.encode("ascii"))
    text = b"".join(element.value or b"" for element in copied)
    if text.isascii():
        return None
    return element_of(CHARACTER_SET, _UTF_8 if _is_utf_8(text) else _LATIN_1)


def keep_bytes(dataset: Dataset) -> None:
    """Make pydicom write what was copied as it is, wherever this dataset is written in Explicit VR Little Endian."""
    encoding = convert_encodings(dataset.SpecificCharacterSet) if CHARACTER_SET in dataset else default_encoding
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=encoding)


def _encoded(element: DataElement, header: Dataset) -> bytes:
    """Bring a value that was decoded back into the header's character set."""
    known = _known_set(header) if element.VR in CUSTOMIZABLE_CHARSET_VR else ""
    encodings = [_UNICODE] if known is None else convert_encodings(known.split("\\"))
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return b"\\".join(_encoded_value(value, encodings) for value in values)


def _encoded_value(value: object, encodings: list[str]) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, PersonName):
        return bytes(value.encode(encodings))
    return b"" if value is None else encode_string(str(value), encodings)


def _known_set(header: Dataset) -> str | None:
    """Give the declared character sets if all are known, and can be switched between if they are several."""
    terms = [term.strip() for term in value_of(header, CHARACTER_SET).decode("ascii", "replace").split("\\")]
    if terms[0] in _NEVER_FIRST:
        terms = ["", *terms]
    switchable = len(terms) == 1 or all(term == "" or term.startswith(_SWITCHING) for term in terms)
    return "\\".join(terms) if switchable and python_encoding.keys() >= {*terms} else None


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode(_UNICODE)
    except UnicodeDecodeError:
        return False
    return True
