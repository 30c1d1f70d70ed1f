"""Identifiers of what the gateway makes, derived from the request and its result: a retry yields the same ones."""

import hashlib
import re
from uuid import UUID

from api.reports.receipt import canonical
from api.types import Receipt

_VERSION_8 = 8 << 76
_VERSION_BITS = 0xF << 76
_RFC_VARIANT = 0b10 << 62
_VARIANT_BITS = 0b11 << 62
_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_LONGEST_UID = 64


def uuid_of(receipt: Receipt, *names: str) -> UUID:
    """Derive the UUID of something that an answer holds.

    It is 128 bits of a SHA-256, six of which say that (RFC 9562, section 5.8, version 8).

    Parameters
    ----------
    receipt
        What the answer is about.
    names
        Which of the things in the answer, such as a kind and a method.
    """
    digest = hashlib.sha256(canonical(receipt))
    for name in names:
        digest.update(b"\0" + name.encode())
    bits = int.from_bytes(digest.digest()[:16])
    return UUID(int=(bits & ~_VERSION_BITS & ~_VARIANT_BITS) | _VERSION_8 | _RFC_VARIANT)


def uid_of(receipt: Receipt, *names: str) -> str:
    """Derive a DICOM unique identifier: ``2.25.`` and the UUID as a decimal number (PS3.5, section B.2)."""
    return as_uid(uuid_of(receipt, *names))


def device_id(receipt: Receipt) -> UUID:
    """Derive the UUID of what answers: a version of the service with a model, the same for all of its answers."""
    device = Receipt(
        input_sha256="",
        keyed=False,
        model=receipt.model,
        other_models=(),
        parameters={},
        service_version=receipt.service_version,
        label="",
        probability=0,
        indeterminate=False,
    )
    return uuid_of(device, "device")


def as_uid(identifier: UUID) -> str:
    """Write a UUID as a DICOM unique identifier (PS3.5, section B.2)."""
    return f"2.25.{identifier.int}"


def is_uid(text: str) -> bool:
    """Tell whether a text is a DICOM unique identifier (PS3.5, section 9.1; its roots are those of ISO/IEC 9834-1)."""
    return len(text) <= _LONGEST_UID and _UID.fullmatch(text) is not None
