"""Identifiers of what the gateway makes, derived from the request and its result: a retry yields the same ones."""

import hashlib
from uuid import UUID

from api.reports.receipt import canonical
from api.types import Receipt

_VERSION_8 = 8 << 76
_VERSION_BITS = 0xF << 76
_RFC_VARIANT = 0b10 << 62
_VARIANT_BITS = 0b11 << 62


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
    return f"2.25.{uuid_of(receipt, *names).int}"
