"""Identifiers that follow from a receipt."""

import hashlib
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from api.reports.identity import as_uid, device_id, is_uid, uid_of, uuid_of
from api.reports.receipt import canonical
from api.types import ModelRecord, Receipt

RECEIPT = Receipt(
    input_sha256="12" * 32,
    keyed=False,
    model=ModelRecord("classifier", "1", "ab" * 32),
    other_models=(ModelRecord("lung_segmenter", "1", "cd" * 32),),
    parameters={"operation": "explain", "methods": ("silhouette", "gradient"), "threshold": 0.7, "regions": None},
    service_version="1.0.0",
    label="PNEUMONIA",
    probability=0.97,
    indeterminate=False,
)


def test_an_id_is_the_head_of_a_sha256_with_the_bits_of_version_8() -> None:
    digest = bytearray(hashlib.sha256(canonical(RECEIPT) + b"\0media\0gradient").digest()[:16])
    digest[6] = 0x80 | digest[6] & 0x0F  # version, RFC 9562, figure 12
    digest[8] = 0x80 | digest[8] & 0x3F  # variant
    assert uuid_of(RECEIPT, "media", "gradient") == uuid.UUID(bytes=bytes(digest))


@given(st.lists(st.text("abc/_", max_size=5), max_size=3))
def test_ids_are_well_formed_for_fhir_and_dicom(names: list[str]) -> None:
    made, uid = uuid_of(RECEIPT, *names), UID(uid_of(RECEIPT, *names))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", str(made))  # FHIR R4, datatype id
    # PS3.5, sections 9.1 and B.2: at most 64 characters, no leading zeros, the UUID as one decimal number.
    assert uid.is_valid
    assert len(uid) <= 64
    assert uid == f"2.25.{made.int}"


def test_the_same_answer_has_the_same_ids() -> None:
    again = replace(RECEIPT, parameters=dict(reversed(list(RECEIPT.parameters.items()))))
    assert uuid_of(again, "media") == uuid_of(RECEIPT, "media")
    assert uuid_of(replace(RECEIPT, mac="ef" * 32)) == uuid_of(RECEIPT)


@pytest.mark.parametrize(
    "change",
    [
        {"input_sha256": "13" * 32},
        {"keyed": True},
        {"model": ModelRecord("classifier", "2", "ab" * 32)},
        {"model": ModelRecord("classifier", "1", "ac" * 32)},
        {"other_models": ()},
        {"other_models": (ModelRecord("lung_segmenter", "1", None),)},
        {"parameters": {**RECEIPT.parameters, "threshold": 0.8}},
        {"parameters": {**RECEIPT.parameters, "methods": ("gradient", "silhouette")}},
        {"parameters": {**RECEIPT.parameters, "regions": 16}},
        {"service_version": "1.0.1"},
        {"label": "NORMAL"},
        {"probability": 0.9701},
        {"indeterminate": True},
    ],
)
def test_whatever_else_changes_changes_every_id(change: dict[str, Any]) -> None:
    changed = replace(RECEIPT, **change)
    assert uuid_of(changed) != uuid_of(RECEIPT)
    assert uid_of(changed, "report") != uid_of(RECEIPT, "report")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"input_sha256": "13" * 32, "keyed": True, "mac": "00" * 32}, True),
        ({"label": "NORMAL", "probability": 0.6, "indeterminate": True}, True),
        ({"other_models": (), "parameters": {}}, True),
        ({"service_version": "1.0.1"}, False),
        ({"model": ModelRecord("classifier", "2", "ab" * 32)}, False),
        ({"model": ModelRecord("classifier", "1", "ac" * 32)}, False),
        ({"model": ModelRecord("other", "1", "ab" * 32)}, False),
    ],
)
def test_a_device_is_a_version_of_the_service_with_a_model(change: dict[str, Any], same: bool) -> None:
    assert (device_id(replace(RECEIPT, **change)) == device_id(RECEIPT)) is same
    assert is_uid(as_uid(device_id(RECEIPT)))


@pytest.mark.parametrize("text", ["1.2", "0.0", "2.25.340282366920938463463374607431768211455", "2." + "1" * 62])
def test_what_is_a_uid(text: str) -> None:
    assert is_uid(text)
    assert UID(text).is_valid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "2.",
        ".2",
        "3.1",
        "12.1",
        "2.25.47110.02",
        "02.25",
        "1..2",
        "1.2.",
        "1.2 ",
        "1.2\n",
        "1.x",
        "2." + "1" * 63,
    ],
)
def test_what_is_no_uid(text: str) -> None:
    assert not is_uid(text)


def test_names_tell_the_things_in_an_answer_apart() -> None:
    names = [(), ("",), ("a",), ("b",), ("a", "b"), ("ab",), ("b", "a")]
    assert len({uuid_of(RECEIPT, *each) for each in names}) == len(names)
