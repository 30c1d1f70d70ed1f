"""Receipts, recomputed by hand."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from api.http.schemas.receipt import ReceiptOut
from api.reports.receipt import as_document, canonical, probability_of_pneumonia, write_receipt
from api.types import ModelRecord, Prediction, Receipt
from tests.conftest import missing

DATA = b"the file as it was sent"
KEY = b"a key of this test's own, long enough"
CLASSIFIER = ModelRecord("classifier", "3", "ab" * 32)
LUNGS = ModelRecord("lung_segmenter", "1", "cd" * 32)
IMPORTANCE = ModelRecord("pixel_importance", "2", None)
PREDICTION = Prediction("PNEUMONIA", 0.9712345, False, {"NORMAL": 0.0287655, "PNEUMONIA": 0.9712345}, 0.5, 0.6)


def written(key: bytes | None = None, prediction: Prediction = PREDICTION, **parameters: str | float) -> Receipt:
    given = {"operation": "explain", "threshold": 0.7, "always": False, **parameters}
    models = [CLASSIFIER, IMPORTANCE, LUNGS]
    return write_receipt(DATA, models, given, prediction, service_version="1.2.3", key=key)


def test_without_a_key_it_is_the_plain_digest_and_unsigned() -> None:
    assert as_document(written()) == {
        "input_sha256": hashlib.sha256(DATA).hexdigest(),
        "keyed": False,
        "model": {"name": "classifier", "version": "3", "sha256": "ab" * 32},
        "other_models": (
            {"name": "lung_segmenter", "version": "1", "sha256": "cd" * 32},
            {"name": "pixel_importance", "version": "2", "sha256": None},
        ),
        "parameters": {"operation": "explain", "threshold": 0.7, "always": False},
        "service_version": "1.2.3",
        "label": "PNEUMONIA",
        "probability": 0.9712,
        "indeterminate": False,
        "mac": None,
    }


def test_with_a_key_the_input_and_the_receipt_are_authenticated_by_it() -> None:
    receipt = written(KEY)
    assert receipt.input_sha256 == hmac.new(KEY, DATA, hashlib.sha256).hexdigest()
    assert receipt.keyed
    unsigned = json.loads(ReceiptOut.model_validate(as_document(receipt)).model_dump_json(exclude={"mac"}))
    text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"))
    assert receipt.mac == hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
    assert replace(receipt, input_sha256=hashlib.sha256(DATA).hexdigest(), keyed=False, mac=None) == written()


def test_openssl_computes_the_same(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl must be installed.")
    file = tmp_path / "radiograph"

    def dgst(data: bytes, *options: str) -> str:
        file.write_bytes(data)
        command = ["openssl", "dgst", "-sha256", *options, "-r", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]

    assert written().input_sha256 == dgst(DATA)
    assert written(KEY).input_sha256 == dgst(DATA, "-hmac", KEY.decode())
    assert written(KEY).mac == dgst(canonical(written(KEY)), "-hmac", KEY.decode())


def test_what_is_signed_is_canonical_and_without_the_signature() -> None:
    assert canonical(written(KEY)) == (
        b'{"indeterminate":false,"input_sha256":"' + written(KEY).input_sha256.encode() + b'","keyed":true,'
        b'"label":"PNEUMONIA","model":{"name":"classifier","sha256":"' + b"ab" * 32 + b'","version":"3"},'
        b'"other_models":[{"name":"lung_segmenter","sha256":"' + b"cd" * 32 + b'","version":"1"},'
        b'{"name":"pixel_importance","sha256":null,"version":"2"}],'
        b'"parameters":{"always":false,"operation":"explain","threshold":0.7},'
        b'"probability":0.9712,"service_version":"1.2.3"}'
    )


@pytest.mark.parametrize(
    ("probability", "text"), [(0.97124, "0.9712"), (0.97126, "0.9713"), (0.99996, "1"), (0.00004, "0"), (0.5, "0.5")]
)
def test_whole_numbers_have_no_fraction_in_any_language(probability: float, text: str) -> None:
    receipt = written(KEY, replace(PREDICTION, probability=probability), threshold=1.0)
    on_the_wire = ReceiptOut.model_validate(as_document(receipt)).model_dump_json()
    for document in (canonical(receipt).decode(), on_the_wire):
        assert f'"probability":{text},' in document
        assert re.search('"threshold":1[,}]', document)
    assert '"always":false' in on_the_wire  # and not 0


def test_noise_in_the_last_bits_of_the_answer_does_not_show() -> None:
    noisy = replace(PREDICTION, probability=PREDICTION.probability + 3e-7)
    assert written(KEY, noisy) == written(KEY)


def test_models_that_took_part_are_in_one_order() -> None:
    assert written().other_models == (LUNGS, IMPORTANCE)
    by_name = (ModelRecord("a", "9", "ff"), ModelRecord("b", "5", "00"), ModelRecord("c", "7", None))
    for others in permutations(by_name):  # names tell the order, and neither versions nor digests
        receipt = write_receipt(DATA, [CLASSIFIER, *others], {}, PREDICTION, service_version="1.2.3")
        assert receipt.other_models == by_name


@pytest.mark.parametrize(
    ("label", "probability", "expected"),
    [("PNEUMONIA", 0.9712, "0.9712"), ("NORMAL", 0.9123, "0.0877"), ("NORMAL", 1, "0"), ("PNEUMONIA", 1, "1")],
)
def test_the_probability_of_pneumonia_has_the_decimals_of_the_receipt(
    label: str, probability: float, expected: str
) -> None:
    assert str(probability_of_pneumonia(replace(written(), label=label, probability=probability))) == expected
