"""Receipts: which models said what of which file, so that it can be proved later, with nothing of the patient."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from api.reports.canonical_json import canonical_json
from api.types import POSITIVE_LABEL, ModelRecord, Parameter, Prediction, Receipt

Value = TypeVar("Value", bound=Parameter)

_DIGITS = 4  # of a probability: the same for the same request, while batching moves the last bits


def write_receipt(
    data: bytes,
    models: Sequence[ModelRecord],
    parameters: Mapping[str, Parameter],
    prediction: Prediction,
    *,
    service_version: str,
    key: bytes | None = None,
) -> Receipt:
    """Write the receipt of an answer.

    Parameters
    ----------
    data
        The file as sent.
    models
        Those that took part; the first one gave the answer.
    parameters
        What was asked, and the site's settings that decide.
    prediction
        The answer.
    service_version
        The gateway's own.
    key
        A secret. With it, the digest of the file is an HMAC-SHA256 (RFC 2104), which cannot be looked up by those who
        have the file and not the key, and the receipt carries an HMAC-SHA256 of itself.
    """
    model, *others = models
    receipt = Receipt(
        input_sha256=(hmac.new(key, data, "sha256") if key else hashlib.sha256(data)).hexdigest(),
        keyed=key is not None,
        model=model,
        other_models=tuple(sorted(others, key=lambda record: record.name)),
        parameters={name: _plain(value) for name, value in parameters.items()},
        service_version=service_version,
        label=prediction.label,
        probability=_plain(round(prediction.probability, _DIGITS)),
        indeterminate=prediction.indeterminate,
    )
    return receipt if key is None else replace(receipt, mac=hmac.new(key, canonical(receipt), "sha256").hexdigest())


def canonical(receipt: Receipt) -> bytes:
    """Give what is signed and what identifies an answer: the receipt without its `mac`, as canonical JSON (RFC 8785).

    No image file could pass for it, so that one key may serve for both.
    """
    return canonical_json({name: value for name, value in as_document(receipt).items() if name != "mac"})


def as_document(receipt: Receipt) -> dict[str, Any]:
    """Give a receipt as it stands in JSON."""
    return asdict(receipt)


def probability_of_pneumonia(receipt: Receipt) -> float:
    """Give the probability of PNEUMONIA, 0 to 1, whatever the label, with as many decimals as the receipt has."""
    positive = receipt.label == POSITIVE_LABEL
    return _plain(receipt.probability if positive else round(1 - receipt.probability, _DIGITS))


def _plain(value: Value) -> Value | int:
    """Write whole numbers without a fraction: not every language's JSON keeps 1.0 apart from 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
