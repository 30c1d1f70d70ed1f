import re

import numpy as np
import pytest

from serving.backend import BackendProtocolError, ModelSpec, Tensor, TensorSpec
from serving.validation import validate_answer, validate_request

MODEL = ModelSpec(
    "model",
    "1",
    inputs=(TensorSpec("image", "uint8", (4, -1, 1)), TensorSpec("scale", "float32", ())),
    outputs=(TensorSpec("logits", "float32", (2,)), TensorSpec("mask", "float32", (4, -1))),
    max_batch_size=8,
)


def request(count: int = 3) -> dict[str, Tensor]:
    return {"image": np.zeros((count, 4, 6, 1), np.uint8), "scale": np.ones(count, np.float32)}


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_good_request_gives_its_batch_size(count: int) -> None:
    assert validate_request(MODEL, request(count), ["logits"]) == count


def test_a_size_declared_open_may_vary() -> None:
    assert validate_request(MODEL, request(2) | {"image": np.zeros((2, 4, 99, 1), np.uint8)}, ["mask", "logits"]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((3, 4, 6, 1), np.int8)}, "'image' must be uint8. Received: |i1"),
        ({"scale": np.ones(3, ">f4")}, "'scale' must be float32. Received: >f4"),
        ({"image": np.zeros((3, 5, 6, 1), np.uint8)}, "must have shape ['n', 4, -1, 1]. Received: [3, 5, 6, 1]"),
        ({"image": np.zeros((4, 6, 1), np.uint8)}, "must have shape ['n', 4, -1, 1]. Received: [4, 6, 1]"),
        ({"scale": np.float32(1)}, "must have shape ['n']. Received: []"),
        ({"scale": np.ones(2, np.float32)}, "must have one batch size. Received: [2, 3]"),
        ({"other": np.ones(3)}, "must be ['image', 'scale']. Received: ['image', 'other', 'scale']"),
    ],
)
def test_a_wrong_input_is_refused(change: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_request(MODEL, request() | change, ["logits"])


@pytest.mark.parametrize("count", [0, 9])
def test_a_batch_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"must hold 1 to 8 images. Received: {count}"):
        validate_request(MODEL, request(count), ["logits"])


@pytest.mark.parametrize("outputs", [[], ["probabilities"], ["logits", "logits"]])
def test_a_wrong_output_is_refused(outputs: list[str]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"must be some of ['logits', 'mask']. Received: {outputs}")):
        validate_request(MODEL, request(), outputs)


def test_a_good_answer_passes_whatever_its_values() -> None:
    validate_answer(MODEL, {"logits": np.full((3, 2), np.nan, np.float32)}, ["logits"], 3)
    validate_answer(MODEL, {"mask": np.zeros((1, 4, 9), np.float32)}, ["mask"], 1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "The answer must hold 'logits'. Received: none"),
        ({"mask": np.zeros((3, 4, 9), np.float32)}, "The answer must hold 'logits'. Received: none"),
        ({"logits": np.zeros((3, 2))}, "'logits' must be float32. Received: <f8"),
        ({"logits": np.zeros((3, 3), np.float32)}, "'logits' must have shape ['n', 2]. Received: [3, 3]"),
        ({"logits": np.zeros(6, np.float32)}, "'logits' must have shape ['n', 2]. Received: [6]"),
        ({"logits": np.zeros((2, 2), np.float32)}, "'logits' must have batch size 3. Received: 2"),
    ],
)
def test_a_wrong_answer_is_a_protocol_error(answer: dict[str, Tensor], message: str) -> None:
    with pytest.raises(BackendProtocolError, match=re.escape(f"Model 'model' version 1: {message}")):
        validate_answer(MODEL, answer, ["logits"], 3)
