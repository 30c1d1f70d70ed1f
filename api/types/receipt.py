"""What proves later which model said what of which file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Parameter: TypeAlias = str | int | float | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that took part. `sha256` is that of its file, as published, in hexadecimal; None if it was not."""

    name: str
    version: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which models said what of which input, with which parameters; nothing of the patient.

    `input_sha256` is the SHA-256 of the file as sent, in hexadecimal; with `keyed`, the HMAC of it under the site's
    key. `model` gave the answer, `other_models` judged the input or explained. `probability` is that of `label`,
    rounded, as everything in a receipt is the same for the same request. `mac` is an HMAC-SHA256 of all the rest, in
    hexadecimal, None without a key.
    """

    input_sha256: str
    keyed: bool
    model: ModelRecord
    other_models: tuple[ModelRecord, ...]
    parameters: Mapping[str, Parameter]
    service_version: str
    label: str
    probability: float
    indeterminate: bool
    mac: str | None = None
