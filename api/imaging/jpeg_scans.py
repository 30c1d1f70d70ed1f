"""What the scans of a JPEG stream may be, told from their headers before any is decoded.

libjpeg goes over the whole frame for each scan header, however little follows it: a stream of some kilobytes could keep
it at work for hours. What is missing from the last scans it makes up, so that the least that can be there is asked for.
"""

from collections.abc import Sequence

from api.errors import UndecodableImage
from api.imaging.damage import damaged
from api.imaging.jpeg_stream import BASELINE, EXTENDED, LOSSLESS, PROGRESSIVE, Component, Frame, Scan
from api.types import ImageFormat

MOST_PROGRESSIVE_SCANS = 100  # encoders write 10; one for each bit of each coefficient would be far more
_COEFFICIENTS = 64


def check_scans(frame: Frame, scans: Sequence[Scan], image_format: ImageFormat) -> None:
    """Refuse scans that a decoder would make up pixels for, or work on for too long.

    Raises
    ------
    UndecodableImage
        They repeat or leave out a part of the image, or are too many or too short to hold it.
    """
    numbers = {component.number for component in frame.components}
    if len(numbers) != len(frame.components) or any(not numbers.issuperset(scan.components) for scan in scans):
        raise damaged(image_format)
    if frame.process == PROGRESSIVE:
        _check_progressive(frame, scans)
    elif sorted(number for scan in scans for number in scan.components) != sorted(numbers):
        raise UndecodableImage(
            "A sequential JPEG or JPEG-LS image must have each component in one scan. Received: other scans."
        )
    if any(8 * scan.coded < _least_bits(frame, scan) for scan in scans):
        raise damaged(image_format)


def _check_progressive(frame: Frame, scans: Sequence[Scan]) -> None:
    if frame.precision != 8 or len(scans) > MOST_PROGRESSIVE_SCANS:
        raise UndecodableImage(
            f"A progressive JPEG image must have 8 bits and at most {MOST_PROGRESSIVE_SCANS} scans. "
            f"Received: {frame.precision} bits, {len(scans)} scans."
        )
    sent = [(number, k, scan.lowest_bit) for scan in scans for k in _band(scan) for number in scan.components]
    bits = set(sent)
    if len(bits) != len(sent):
        raise UndecodableImage("A progressive JPEG image must have each bit in one scan. Received: repeated ones.")
    # To libjpeg a file that ends between two scans is whole, only blurred.
    if any((each.number, k, 0) not in bits for each in frame.components for k in range(_COEFFICIENTS)):
        raise UndecodableImage("The JPEG file ends before its last scan. Send the complete file.")


def _band(scan: Scan) -> range:
    return range(scan.first, min(scan.last + 1, _COEFFICIENTS))


def _least_bits(frame: Frame, scan: Scan) -> int:
    """Give the fewest bits that the coded data of a scan can have.

    A Huffman code has at least one bit. A sequential block is a DC code and an end of block (T.81, section F.1.2), a
    lossless sample one code (H.1.2.2), a progressive block a DC code or bit (G.1.2); its other scans can be runs.
    """
    codes = {BASELINE: 2, EXTENDED: 2, LOSSLESS: 1, PROGRESSIVE: int(scan.first == 0)}.get(frame.process, 0)
    block = 1 if frame.process == LOSSLESS else 8
    scanned = (component for component in frame.components if component.number in scan.components)
    return codes * sum(_units(frame, component, block) for component in scanned)


def _units(frame: Frame, component: Component, block: int) -> int:
    """Count the blocks of a component, or its samples, which are blocks of one (T.81, section A.1.1)."""
    widest = max(each.horizontal for each in frame.components)
    highest = max(each.vertical for each in frame.components)
    columns = -(-frame.width * component.horizontal // widest)
    rows = -(-frame.height * component.vertical // highest)
    return -(-columns // block) * -(-rows // block)
