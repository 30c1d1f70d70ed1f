"""The receipt of an answer."""

from typing import Annotated

from pydantic import WithJsonSchema

from api.http.schemas.base import Schema


class ModelRecordOut(Schema):
    """A model and the SHA-256 of its file, as published; null if it was not."""

    name: str
    version: str
    sha256: str | None


class ReceiptOut(Schema):
    """What proves later which model said what of which file. It holds nothing of the patient.

    `input_sha256` is the SHA-256 of the file as sent; if `keyed`, its HMAC-SHA256 under the site's `CXR_RECEIPT_KEY`.
    `model` gave the answer, `other_models` judged the input or explained. `probability` is that of `label`, rounded.
    `mac` is the HMAC-SHA256 under the same key of the receipt without it, as canonical JSON (RFC 8785: sorted keys, no
    white space); null without a key.
    """

    input_sha256: str
    keyed: bool
    model: ModelRecordOut
    other_models: list[ModelRecordOut]
    parameters: dict[str, str | int | float | bool | list[str] | None]
    service_version: str
    label: str
    probability: Annotated[int | float, WithJsonSchema({"type": "number"})]  # 1, not 1.0: it is signed
    indeterminate: bool
    mac: str | None
