"""DICOM files put together from bytes, where pydicom would not write what a test needs."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.dicom.files import Storage, dataset, encoded, radiograph_file, written

LEVELS = np.random.default_rng(6).integers(0, 256, (47, 61), dtype=np.uint8)


def element(group: int, number: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """Write an element in Explicit VR Little Endian, with a length of its own if one is given."""
    length = len(value) if length is None else length
    form = "<HH2sHI" if vr in ("OB", "OW", "SQ", "UN", "UT", "OF") else "<HH2sH"
    reserved = (0,) if form.endswith("HI") else ()
    return struct.pack(form, group, number, vr.encode(), *reserved, length) + value


def file_with(body: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a file whose object's elements are given as bytes."""
    made = dataset(LEVELS)
    meta = element(0x0002, 0x0001, "OB", b"\0\1")
    for number, uid in ((0x0002, made.SOPClassUID), (0x0003, made.SOPInstanceUID), (0x0010, syntax)):
        meta += element(0x0002, number, "UI", uid.encode() + b"\0" * (len(uid) % 2))
    return bytes(128) + b"DICM" + element(0x0002, 0x0000, "UL", struct.pack("<I", len(meta))) + meta + body


def body(made: Dataset) -> bytes:
    """Give the elements of an object as bytes."""
    file = written(made)
    (length,) = struct.unpack_from("<I", file, 140)
    return file[144 + length :]


def implicit_body() -> bytes:
    """Give the elements of a sound radiograph in Implicit VR Little Endian."""
    return body(encoded(dataset(LEVELS), ImplicitVRLittleEndian))


def tagged(**attributes: Any) -> Callable[[], bytes]:
    """Make a radiograph with attributes of its own."""
    return lambda: radiograph_file(LEVELS, Storage(12), **attributes)


def with_frame(frame: bytes, syntax: UID, **attributes: Any) -> bytes:
    """Make a radiograph whose compressed frame is given as bytes."""
    made = dataset(LEVELS, Storage(8), PixelData=encapsulate([frame]), **attributes)
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = syntax
    return written(made)


def frame_of(syntax: UID) -> bytes:
    """Give the compressed frame of a sound radiograph."""
    made = encoded(dataset(LEVELS), syntax)
    return next(generate_frames(made.PixelData, number_of_frames=1))
