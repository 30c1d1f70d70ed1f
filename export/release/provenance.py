"""Ties what was measured to the bytes it was measured on."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def sha256_of(path: Path) -> str:
    """Hash a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(run: Path, *names: str) -> dict[str, dict[str, str]]:
    """Give the entry `sha256` of a record about these files of a run folder."""
    return {"sha256": {name: sha256_of(run / name) for name in names}}


def require_current(run: Path, record: Mapping[str, Any], name: str) -> None:
    """Refuse a record that was made of other files than those in the run folder.

    Raises
    ------
    ValueError
        A file has changed since, or the record does not say what it was made of.
    """
    recorded: Mapping[str, str] = record.get("sha256", {})
    changed = [file for file, digest in recorded.items() if sha256_of(run / file) != digest]
    if changed or not recorded:
        raise ValueError(
            f"{name} must be of the files in the run folder; convert and evaluate again. "
            f"Received: run={run.name}, changed={changed or 'unknown'}"
        )
