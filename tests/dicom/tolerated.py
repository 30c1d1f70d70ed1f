"""DICOM files that break a rule but hold a whole radiograph: what is wrong has no bearing on its pixels."""

from collections.abc import Callable, Mapping

from pydicom.uid import ImplicitVRLittleEndian

from tests.dicom.elements import LEVELS, body, element, file_with, implicit_body, tagged
from tests.dicom.files import dataset, radiograph_file


def with_text(number: int, vr: str, text: bytes, group: int = 0x0008) -> Callable[[], bytes]:
    """Make a radiograph with a text in a tag where it does not belong."""

    def make() -> bytes:
        made = dataset(LEVELS)
        made.pop((group, number))
        return file_with(element(group, number, vr, text + b" " * (len(text) % 2)) + body(made))

    return make


def _header_last() -> bytes:
    whole = body(dataset(LEVELS, PixelData=None))
    middle = whole.index(b"\x28\0\x02\0US")
    return file_with(whole[middle:] + whole[:middle] + body(dataset(LEVELS))[len(whole) :])


TOLERATED: Mapping[str, Callable[[], bytes]] = {
    "group lengths": lambda: file_with(element(0x0008, 0, "UL", b"\4\0\0\0") + body(dataset(LEVELS))),
    "wrong group lengths": lambda: file_with(element(0x0008, 0, "UL", b"\xff" * 4) + body(dataset(LEVELS))),
    "a text of odd length": lambda: file_with(element(0x0009, 0x0010, "LO", b"odd") + body(dataset(LEVELS))),
    "elements in another order": _header_last,
    "padding after the pixels": lambda: radiograph_file(LEVELS) + element(0xFFFC, 0xFFFC, "OB", bytes(600)),
    "implicit elements said to be explicit": lambda: file_with(implicit_body()),
    "explicit elements said to be implicit": lambda: file_with(body(dataset(LEVELS)), ImplicitVRLittleEndian),
    "a long private value": lambda: file_with(element(0x0009, 0x1001, "OB", bytes(2**20)) + body(dataset(LEVELS))),
    "an empty window": tagged(WindowCenter="", WindowWidth=""),
    "a character set of its own": with_text(0x0005, "CS", b"DOE^JANE"),
    "a study date in words": with_text(0x0020, "DA", b"DOE^JANE"),
    "a study time in words": with_text(0x0030, "TM", b"DOE^JANE"),
    "an accession number too long": with_text(0x0050, "SH", b"ACC-0815" * 99),
    "a name too long": with_text(0x0010, "PN", b"DOE^JANE " * 99, 0x0010),
    "a birth date in words": with_text(0x0030, "DA", b"DOE^JANE", 0x0010),
    "a sex of its own": with_text(0x0040, "CS", b"DOE^JANE", 0x0010),
    "an age in words": with_text(0x1010, "AS", b"DOE^JANE", 0x0010),
    "a series number in words": with_text(0x0011, "IS", b"DOE^JANE", 0x0020),
    "a name that is no text": with_text(0x0010, "US", b"DOE^JANE", 0x0010),
    "a name of a kind unknown": with_text(0x0010, "ZZ", b"DOE^JANE", 0x0010),
}
