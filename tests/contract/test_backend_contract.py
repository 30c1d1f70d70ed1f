"""What every inference backend promises, whichever it is."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from serving import BackendSettings, open_backend
from serving.backend import (
    BackendTimeout,
    BackendUnavailable,
    Correlation,
    InferenceBackend,
    ModelSpec,
    Priority,
    Tensor,
    TensorSpec,
)
from serving.local_triton import LocalTriton
from tests import tiny_repository as tiny
from tests.contract.conftest import OpenBackend, batch_of

Images = NDArray[np.uint8]


def random_images(count: int, seed: int = 0) -> Images:
    """Images whose mean grey differs from one to the next, so that answers cannot be mixed up unnoticed."""
    random = np.random.default_rng(seed)
    brightness = random.integers(1, 257, (count, 1, 1, 1))
    return random.integers(0, brightness, (count, tiny.SIZE, tiny.SIZE, 1), dtype=np.uint8)


def assert_close(received: Tensor, expected: Tensor, tolerance: float) -> None:
    np.testing.assert_allclose(received.astype(np.float64), expected.astype(np.float64), rtol=0, atol=tolerance)


async def model_named(backend: InferenceBackend, name: str) -> ModelSpec:
    return next(model for model in await backend.models() if model.name == name)


async def test_models_are_described_as_published(backend: InferenceBackend) -> None:
    classifier, explaining, lungs, importance = await backend.models()
    image = TensorSpec("image", "uint8", (128, 128, 1))
    assert (classifier.name, classifier.version, classifier.max_batch_size) == ("classifier", "1", 64)
    assert classifier.inputs == explaining.inputs == lungs.inputs == importance.inputs == (image,)
    assert classifier.outputs == (
        TensorSpec("logits", "float32", (2,)),
        TensorSpec("probabilities", "float32", (2,)),
        TensorSpec("ood_score", "float32", (1,)),
        TensorSpec("presentation", "float32", (4,)),
    )
    assert explaining.name == "classifier_explain"
    assert explaining.outputs == (
        TensorSpec("logits", "float32", (2,)),
        TensorSpec("probabilities", "float32", (2,)),
        TensorSpec("grad_cam", "float32", (8, 8)),
        TensorSpec("grad_cam_plus_plus", "float32", (8, 8)),
        TensorSpec("saliency", "float32", (128, 128)),
        TensorSpec("features_1", "float32", (2, 8, 8)),
        TensorSpec("features_1_channels", "int64", (2,)),
        TensorSpec("features_2", "float32", (1, 2, 2)),
        TensorSpec("features_2_channels", "int64", (1,)),
    )
    assert lungs.name == "lung_segmenter"
    assert lungs.outputs == (TensorSpec("mask", "float32", (128, 128)),)
    assert importance.name == "pixel_importance"
    assert importance.outputs == (TensorSpec("importance", "float32", (128, 128)),)


async def test_models_carry_their_release(backend: InferenceBackend) -> None:
    classifier, _, lungs, importance = await backend.models()
    assert classifier.release["labels"] == ["NORMAL", "PNEUMONIA"]
    assert classifier.release["decision_threshold"] == tiny.DECISION_THRESHOLD
    assert classifier.release["indeterminate_band"] == list(tiny.INDETERMINATE_BAND)
    assert classifier.release["ood_limits"] == tiny.OOD_LIMITS
    assert lungs.release["plausible_lungs"] == {"area": [0.1, 0.6], "uncertainty": 1.0}
    assert importance.release["labels"] is None


@pytest.mark.parametrize("count", [1, 5, 64])
async def test_classifier_answers_what_numpy_computes(backend: InferenceBackend, count: int) -> None:
    images = random_images(count)
    model = await model_named(backend, "classifier")
    answer = await backend.infer(model, {"image": images}, ["logits", "probabilities"], timeout=30)
    assert set(answer) == {"logits", "probabilities"}
    assert_close(answer["logits"], tiny.logits_of(images), 1e-5)
    assert_close(answer["probabilities"], tiny.probabilities_of(images), 1e-6)


@pytest.mark.parametrize("count", [1, 5, 64])
async def test_the_evidence_of_the_input_gate_is_what_numpy_computes(backend: InferenceBackend, count: int) -> None:
    images = random_images(count)
    images[::2, :64] //= 3  # a contrast of top and bottom
    images[1::2, :64, :64] //= 3  # one of the diagonals
    classifier, _, lungs, _ = await backend.models()
    answer = await backend.infer(classifier, {"image": images}, ["ood_score", "presentation"], timeout=30)
    assert_close(answer["ood_score"], tiny.ood_score_of(images), 1e-4)
    assert_close(answer["presentation"], tiny.presentation_of(images), 1e-5)
    mask = (await backend.infer(lungs, {"image": images}, ["mask"], timeout=30))["mask"]
    assert_close(mask, tiny.mask_of(images), 1e-5)


@pytest.mark.parametrize("count", [1, 5, 64])
async def test_pixel_importance_answers_what_numpy_computes(backend: InferenceBackend, count: int) -> None:
    images = random_images(count)
    model = await model_named(backend, "pixel_importance")
    answer = await backend.infer(model, {"image": images}, ["importance"], timeout=30)
    assert_close(answer["importance"], tiny.importance_of(images), 1e-6)


@pytest.mark.parametrize("count", [1, 5, 64])
async def test_maps_answer_what_numpy_computes_and_a_nan_comes_through(backend: InferenceBackend, count: int) -> None:
    images = random_images(count)
    images[0, :16, :16] = 255  # a map of the first image is not a number
    model = await model_named(backend, "classifier_explain")
    answer = await backend.infer(model, {"image": images}, ["saliency", "grad_cam", "grad_cam_plus_plus"], timeout=30)
    assert np.isnan(answer["grad_cam"][0]).all()
    assert_close(answer["grad_cam"], tiny.grad_cam_of(images), 1e-6)
    assert_close(answer["grad_cam_plus_plus"], tiny.grad_cam_of(images) ** 2, 1e-6)
    assert_close(answer["saliency"], tiny.saliency_of(images), 1e-8)


async def test_only_the_wanted_outputs_are_answered(backend: InferenceBackend) -> None:
    images = random_images(2)
    model = await model_named(backend, "classifier")
    answer = await backend.infer(model, {"image": images}, ["probabilities"], timeout=30)
    assert list(answer) == ["probabilities"]
    assert_close(answer["probabilities"], tiny.probabilities_of(images), 1e-6)


@pytest.mark.parametrize(
    "correlation",
    [
        Correlation(),
        Correlation("ward-7.42"),
        Correlation("0" * 128, f"00-{'4' * 32}-{'5' * 16}-01", ",".join(f"m{n}= {'~' * 27}" for n in range(16))),
    ],
)
async def test_what_a_request_is_tied_to_changes_no_answer(backend: InferenceBackend, correlation: Correlation) -> None:
    images = random_images(2)
    model = await model_named(backend, "classifier")
    answer = await backend.infer(model, {"image": images}, ["probabilities"], timeout=30, correlation=correlation)
    assert_close(answer["probabilities"], tiny.probabilities_of(images), 1e-6)


async def test_memory_order_of_the_image_does_not_matter(backend: InferenceBackend) -> None:
    images = random_images(3)
    turned = np.asfortranarray(images)[:, ::-1]
    model = await model_named(backend, "pixel_importance")
    answer = await backend.infer(model, {"image": turned}, ["importance"], timeout=30)
    assert_close(answer["importance"], tiny.importance_of(images[:, ::-1]), 1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": random_images(1).astype(np.float32)}, "must be uint8"),
        ({"image": random_images(1)[..., 0]}, "must have shape"),
        ({"image": random_images(1)[:, 1:]}, "must have shape"),
        ({"image": random_images(1)[0]}, "must have shape"),
        ({"image": random_images(1)[:0]}, "1 to 64 images"),
        ({"image": random_images(65)}, "1 to 64 images"),
        ({"picture": random_images(1)}, r"must be \['image'\]"),
        ({"image": random_images(1), "mask": random_images(1)}, r"must be \['image'\]"),
        ({}, r"must be \['image'\]"),
    ],
)
async def test_inputs_that_were_not_declared_are_refused(
    backend: InferenceBackend, inputs: dict[str, Images], message: str
) -> None:
    model = await model_named(backend, "classifier")
    with pytest.raises(ValueError, match=message):
        await backend.infer(model, inputs, ["logits"], timeout=30)


@pytest.mark.parametrize("outputs", [["importance"], ["logits", "importance"], ["logits", "logits"], []])
async def test_outputs_that_were_not_declared_are_refused(backend: InferenceBackend, outputs: list[str]) -> None:
    model = await model_named(backend, "classifier")
    with pytest.raises(ValueError, match="must be some of"):
        await backend.infer(model, {"image": random_images(1)}, outputs, timeout=30)


@pytest.mark.parametrize("timeout", [1e-7, 0, -1])
async def test_a_deadline_that_passes_is_a_timeout(backend: InferenceBackend, timeout: float) -> None:
    model = await model_named(backend, "pixel_importance")
    with pytest.raises(BackendTimeout):
        await backend.infer(model, {"image": random_images(64)}, ["importance"], timeout=timeout)


async def test_a_timeout_leaves_the_backend_usable(backend: InferenceBackend) -> None:
    images = random_images(64)
    model = await model_named(backend, "pixel_importance")
    with pytest.raises(BackendTimeout):
        await backend.infer(model, {"image": images}, ["importance"], timeout=1e-6)
    answer = await backend.infer(model, {"image": images}, ["importance"], timeout=30)
    assert_close(answer["importance"], tiny.importance_of(images), 1e-6)


async def test_concurrent_requests_are_not_mixed_up(backend: InferenceBackend) -> None:
    classifier, *_, importance = await backend.models()
    batches = [random_images(1 + number % 4, seed=number) for number in range(32)]

    async def ask(number: int, images: Images) -> None:
        priority = Priority.EXPLANATION if number % 3 else Priority.PREDICTION
        if number % 2:
            answer = await backend.infer(importance, {"image": images}, ["importance"], timeout=30, priority=priority)
            assert_close(answer["importance"], tiny.importance_of(images), 1e-6)
        else:
            answer = await backend.infer(classifier, {"image": images}, ["logits"], timeout=30, priority=priority)
            assert_close(answer["logits"], tiny.logits_of(images), 1e-5)

    await asyncio.gather(*(ask(number, images) for number, images in enumerate(batches)))


async def test_cancelling_a_request_cancels_it(backend: InferenceBackend) -> None:
    model = await model_named(backend, "pixel_importance")
    images = random_images(64)
    task = asyncio.create_task(backend.infer(model, {"image": images}, ["importance"], timeout=30))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer = await backend.infer(model, {"image": images[:1]}, ["importance"], timeout=30)
    assert_close(answer["importance"], tiny.importance_of(images[:1]), 1e-6)


@pytest.mark.parametrize(("name", "version"), [("classifier", "2"), ("unheard_of", "1")])
async def test_a_model_that_is_not_served_is_unavailable(backend: InferenceBackend, name: str, version: str) -> None:
    known = await model_named(backend, "classifier")
    model = ModelSpec(name, version, known.inputs, known.outputs, known.max_batch_size)
    with pytest.raises(BackendUnavailable):
        await backend.infer(model, {"image": random_images(1)}, ["logits"], timeout=30)


async def test_a_closed_backend_is_unavailable(backend: InferenceBackend) -> None:
    model = await model_named(backend, "classifier")
    await backend.close()
    await backend.close()
    with pytest.raises(BackendUnavailable):
        await backend.infer(model, {"image": random_images(1)}, ["logits"], timeout=30)
    with pytest.raises(BackendUnavailable):
        await backend.models()


async def test_closing_ends_what_is_in_flight_without_cancelling_its_task(backend: InferenceBackend) -> None:
    model = await model_named(backend, "pixel_importance")
    images = random_images(64)
    infer = [backend.infer(model, {"image": images}, ["importance"], timeout=30) for _ in range(8)]
    pending = [asyncio.create_task(request) for request in infer]
    await asyncio.sleep(0)
    await backend.close()
    for outcome in await asyncio.gather(*pending, return_exceptions=True):
        if not isinstance(outcome, BackendUnavailable):
            assert isinstance(outcome, dict), outcome
            assert_close(outcome["importance"], tiny.importance_of(images), 1e-6)


async def test_a_server_that_is_away_is_unavailable_quickly() -> None:
    backend = await open_backend(BackendSettings("triton", triton_urls=("127.0.0.1:1",)))
    image = TensorSpec("image", "uint8", (128, 128, 1))
    model = ModelSpec("classifier", "1", (image,), (TensorSpec("logits", "float32", (2,)),), 64)
    started = time.monotonic()
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1:1"):
        await backend.infer(model, {"image": random_images(1)}, ["logits"], timeout=30)
    with pytest.raises(BackendUnavailable):
        await backend.models()
    assert time.monotonic() - started < 2
    await backend.close()


async def test_a_server_that_is_away_is_passed_over(
    local_triton: Callable[[Path], LocalTriton], tiny_repository: Path
) -> None:
    url = local_triton(tiny_repository).grpc_url
    backend = await open_backend(BackendSettings("triton", triton_urls=("127.0.0.1:1", url)))
    model = await model_named(backend, "classifier")
    for seed in range(4):
        images = random_images(2, seed)
        answer = await backend.infer(model, {"image": images}, ["logits"], timeout=30)
        assert_close(answer["logits"], tiny.logits_of(images), 1e-5)
    await backend.close()


async def test_backends_agree_on_the_shipped_models(
    opened: OpenBackend, shipped_repository: Path, radiographs: list[Image.Image]
) -> None:
    embedded, triton = await opened("embedded", shipped_repository), await opened("triton", shipped_repository)
    models = await embedded.models()
    assert await triton.models() == models
    for model in models:
        height, width, _ = model.input("image").shape
        images = {"image": batch_of(radiographs, height, width)}
        outputs = [output.name for output in model.outputs]
        ours = await embedded.infer(model, images, outputs, timeout=60)
        theirs = await triton.infer(model, images, outputs, timeout=60)
        for name in outputs:
            assert_close(theirs[name], ours[name], 1e-5)


async def test_shipped_classifier_is_a_softmax_of_its_logits(
    opened: OpenBackend, shipped_repository: Path, radiographs: list[Image.Image]
) -> None:
    backend = await opened("embedded", shipped_repository)
    model = await model_named(backend, "classifier")
    height, width, _ = model.input("image").shape
    images = {"image": batch_of(radiographs, height, width)}
    answer = await backend.infer(model, images, ["logits", "probabilities"], timeout=60)
    log_odds = answer["logits"][:, 1].astype(np.float64)
    pneumonia = 1 / (1 + np.exp(-log_odds))
    assert not np.any(answer["logits"][:, 0])
    assert_close(answer["probabilities"], np.stack([1 - pneumonia, pneumonia], axis=1), 1e-6)
