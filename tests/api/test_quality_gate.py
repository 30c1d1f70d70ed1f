"""The input gate through the gateway: the tiny models' evidence can be called up one contrast at a time."""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from api.settings import Settings
from serving.backend import BackendUnavailable, ModelSpec, Priority, Tensor, TensorSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.api.test_problems import check_problem
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
UNLIKE, REFUSE = tiny.OOD_LIMITS["unlike"], tiny.OOD_LIMITS["refuse"]
CHEST = tiny.pattern("top_less_bottom", 0.0)
UNUSUAL = tiny.pattern("top_less_bottom", 0.5)  # ood_score 5, between the limits
FOREIGN = tiny.pattern("top_less_bottom", 0.9)  # ood_score 9, over both
LUNGLESS = tiny.pattern("diagonals", 0.9)

OpenWith = Callable[[type[EmbeddedBackend]], OpenBackend]


def both(*images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Several contrasts in one image, of sum 1 at most: patterns are added around middle grey."""
    added = 127.5 + sum(image - 127.5 for image in images)
    return np.rint(added).astype(np.uint8)


UNUSUAL_AND_LUNGLESS = both(tiny.pattern("top_less_bottom", 0.5), tiny.pattern("diagonals", 0.5))


@pytest.fixture
async def lenient(open_with: OpenWith) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(quality_gate="off"), open_with(EmbeddedBackend)) as client:
        yield client


async def post(client: httpx.AsyncClient, image: NDArray[np.uint8], path: str = "/v1/predict") -> httpx.Response:
    return await client.post(path, content=encode(image), headers=PNG)


async def quality_of(client: httpx.AsyncClient, image: NDArray[np.uint8], path: str = "/v1/predict") -> dict[str, Any]:
    answer = await post(client, image, path)
    assert answer.status_code == 200, answer.text
    quality: dict[str, Any] = answer.json()["quality"]
    return quality


def score_of(image: NDArray[np.uint8], limit: float) -> float:
    ood_score = tiny.ood_score_of(image[np.newaxis, ..., np.newaxis])[0, 0]
    return float(1 / (1 + 9 ** ((ood_score - limit) / (REFUSE - UNLIKE))))


# Refusal


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain", "/v1/explain?always=true"])
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (FOREIGN, "it is unlike the radiographs that the model has learned from."),
        (
            UNUSUAL_AND_LUNGLESS,
            "it is unlike the radiographs that the model has learned from; no lungs were found in it.",
        ),
    ],
    ids=["foreign", "unusual and lungless"],
)
async def test_what_is_no_chest_radiograph_is_refused_in_plain_words(
    client: httpx.AsyncClient, image: NDArray[np.uint8], reason: str, path: str
) -> None:
    answer = await post(client, image, path)
    check_problem(answer, 422, "not-a-chest-radiograph", path.partition("?")[0])
    assert answer.json()["title"] == "The image is not a chest radiograph"
    assert answer.json()["detail"] == (
        f"The image must be a chest radiograph. Received: an image that does not look like one: {reason} "
        "Send a frontal view, upright, with bones white."
    )


@pytest.mark.parametrize("image", [CHEST, UNUSUAL, LUNGLESS], ids=["usual", "unusual", "lungless"])
async def test_one_doubt_alone_refuses_nothing(client: httpx.AsyncClient, image: NDArray[np.uint8]) -> None:
    assert (await quality_of(client, image))["is_chest_xray"] is True


async def test_a_chest_that_is_turned_is_named_though_no_lungs_are_found_in_it(client: httpx.AsyncClient) -> None:
    """The segmenter knows frontal views only: what it misses in others is no reason to refuse them."""
    turned = both(
        tiny.pattern("top_less_bottom", 0.34), tiny.pattern("diagonals", 0.3), tiny.pattern("left_less_right", 0.36)
    )
    quality = await quality_of(client, turned)
    assert quality["is_chest_xray"] is True
    assert quality["warnings"] == ["unlike_training_data", "lungs_not_found", "rotated"]


async def test_nothing_is_explained_of_an_image_that_is_refused(open_with: OpenWith) -> None:
    class Recording(EmbeddedBackend):
        """Remembers which models were asked."""

        asked: ClassVar[list[str]] = []

        async def infer(self, model: ModelSpec, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            self.asked.append(model.name)
            return await super().infer(model, *args, **kwargs)

    async with running_gateway(Settings(), open_with(Recording)) as client:
        assert (await post(client, FOREIGN, "/v1/explain?always=true")).status_code == 422
        assert sorted(Recording.asked) == ["classifier", "lung_segmenter"]
        assert (await post(client, CHEST, "/v1/explain?always=true")).status_code == 200
        assert Recording.asked[2:].count("pixel_importance") == 1


async def test_a_refusal_tells_the_log_no_more_than_its_status(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cxr"):
        await post(client, FOREIGN)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("cxr")]
    assert "422" in line
    assert "score" not in line


# Warnings


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize(
    ("image", "limit", "warnings"),
    [
        (CHEST, REFUSE, []),
        (UNUSUAL, REFUSE, ["unlike_training_data"]),
        (LUNGLESS, UNLIKE, ["lungs_not_found"]),
        (tiny.pattern("left_less_right", 0.8), REFUSE, ["rotated"]),
        (tiny.pattern("left_less_right", -0.8), REFUSE, ["lateral"]),
        (tiny.pattern("rim_less_middle", 0.8), REFUSE, ["inverted"]),
        (tiny.pattern("rim_less_middle", -0.8), REFUSE, []),
        (tiny.pattern("left_less_right", 0.25), REFUSE, []),
        (both(UNUSUAL, tiny.pattern("rim_less_middle", 0.5)), REFUSE, ["unlike_training_data", "inverted"]),
    ],
)
async def test_what_is_unusual_is_named(
    client: httpx.AsyncClient, image: NDArray[np.uint8], limit: float, warnings: list[str], path: str
) -> None:
    quality = await quality_of(client, image, path)
    expected = pytest.approx(score_of(image, limit), abs=1e-5)
    assert quality == {"is_chest_xray": True, "score": expected, "warnings": warnings}


@pytest.mark.parametrize(
    ("confidence", "warnings"),
    [
        (0.8, []),  # uncertainty 4 * 0.2, under the limit of 1
        (0.7, ["lungs_not_found"]),  # 4 * 0.3
        (0.4, ["lungs_not_found"]),  # no pixel reaches 0.5
    ],
)
async def test_a_diffuse_mask_is_no_lung(client: httpx.AsyncClient, confidence: float, warnings: list[str]) -> None:
    image = tiny.pattern("diagonals", 1 - confidence)
    assert (await quality_of(client, image))["warnings"] == warnings


# The gate is off


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize(
    ("image", "limit", "warnings"),
    [
        (FOREIGN, REFUSE, ["not_a_chest_radiograph", "unlike_training_data"]),
        (UNUSUAL_AND_LUNGLESS, UNLIKE, ["not_a_chest_radiograph", "unlike_training_data", "lungs_not_found"]),
    ],
)
async def test_with_the_gate_off_a_refusal_becomes_a_warning(
    lenient: httpx.AsyncClient, image: NDArray[np.uint8], limit: float, warnings: list[str], path: str
) -> None:
    quality = await quality_of(lenient, image, path)
    expected = pytest.approx(score_of(image, limit), abs=1e-5)
    assert quality == {"is_chest_xray": False, "score": expected, "warnings": warnings}
    assert quality["score"] < 0.5


async def test_the_gate_changes_nothing_about_a_chest_radiograph(
    client: httpx.AsyncClient, lenient: httpx.AsyncClient
) -> None:
    strict, loose = [(await post(c, UNUSUAL)).json() for c in (client, lenient)]
    assert strict["quality"] == loose["quality"]
    assert strict["prediction"] == loose["prediction"]


# Models of another age


class Older(EmbeddedBackend):
    """A repository without a lung segmenter, or whose classifier gives no evidence."""

    segmenter = True
    evidence = True

    async def models(self) -> Sequence[ModelSpec]:
        classifier, *others = await super().models()
        if not self.evidence:
            outputs = tuple(o for o in classifier.outputs if o.name in ("logits", "probabilities"))
            release = {key: value for key, value in classifier.release.items() if key != "ood_limits"}
            classifier = dataclasses.replace(classifier, outputs=outputs, release=release)
        return [classifier, *(m for m in others if self.segmenter or m.name != "lung_segmenter")]


def older(**lacking: bool) -> type[EmbeddedBackend]:
    return type("Backend", (Older,), lacking)


@pytest.mark.parametrize(
    ("lacking", "named", "status"),
    [
        ({"segmenter": False}, "lung_segmenter", 503),
        ({"evidence": False}, "classifier with the outputs ood_score and presentation", 502),
        (
            {"segmenter": False, "evidence": False},
            "lung_segmenter, classifier with the outputs ood_score and presentation",
            502,
        ),
    ],
)
async def test_the_gate_needs_its_models(
    open_with: OpenWith, lacking: dict[str, bool], named: str, status: int
) -> None:
    """Unguarded answers that look guarded would be worse than none."""
    async with running_gateway(Settings(), open_with(older(**lacking))) as client:
        ready = await client.get("/readyz")
        check_problem(ready, 503, "model-server-unavailable", "/readyz")
        assert ready.json()["detail"] == f"The gateway needs models that do not answer: {named}."
        for path in ("/v1/predict", "/v1/explain"):
            assert (await post(client, CHEST, path)).status_code == status


async def test_with_the_gate_off_a_missing_segmenter_speaks_neither_way(open_with: OpenWith) -> None:
    async with running_gateway(Settings(quality_gate="off"), open_with(older(segmenter=False))) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await quality_of(client, LUNGLESS))["warnings"] == []
        assert (await quality_of(client, UNUSUAL_AND_LUNGLESS))["warnings"] == ["unlike_training_data"]
        foreign = await quality_of(client, FOREIGN)
    assert foreign == {
        "is_chest_xray": False,
        "score": pytest.approx(score_of(FOREIGN, REFUSE), abs=1e-5),
        "warnings": ["not_a_chest_radiograph", "unlike_training_data"],
    }


@pytest.mark.parametrize("segmenter", [True, False])
async def test_with_the_gate_off_an_older_classifier_says_nothing_of_quality(
    open_with: OpenWith, segmenter: bool
) -> None:
    backend = older(evidence=False, segmenter=segmenter)
    async with running_gateway(Settings(quality_gate="off"), open_with(backend)) as client:
        assert (await client.get("/readyz")).status_code == 200
        answer = (await post(client, FOREIGN)).json()
        assert answer["quality"] is None
        assert answer["prediction"]["label"] == "PNEUMONIA"


# The model contract


class Odd(EmbeddedBackend):
    """Declares, records or answers something else than the tiny models."""

    declared: TensorSpec | None = None
    record: Mapping[str, Mapping[str, Any]] = {}
    answered: Mapping[str, float] = {}

    async def models(self) -> Sequence[ModelSpec]:
        return [self._changed(model) for model in await super().models()]

    def _changed(self, model: ModelSpec) -> ModelSpec:
        outputs = tuple(self.declared if self.declared and o.name == self.declared.name else o for o in model.outputs)
        release = {**model.release, **self.record.get(model.name, {})}
        return dataclasses.replace(model, outputs=outputs, release=release)

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        answer = await super().infer(*args, **kwargs)
        return {n: np.full_like(v, self.answered[n]) if n in self.answered else v for n, v in answer.items()}


@pytest.mark.parametrize(
    "change",
    [
        {"declared": TensorSpec("ood_score", "float32", ())},
        {"declared": TensorSpec("presentation", "float32", (2, 2))},
        {"declared": TensorSpec("mask", "float32", (128, 128, 1))},
        {"record": {"classifier": {"ood_limits": None}}},
        {"record": {"classifier": {"ood_limits": {"unlike": 4}}}},
        {"record": {"classifier": {"ood_limits": {"unlike": 4, "refuse": 4}}}},
        {"record": {"classifier": {"ood_limits": {"unlike": 4, "refuse": float("inf")}}}},
        {"record": {"classifier": {"presentations": None}}},
        {"record": {"lung_segmenter": {"plausible_lungs": {}}}},
        {"record": {"lung_segmenter": {"plausible_lungs": {"area": [0.1], "uncertainty": 1}}}},
    ],
    ids=str,
)
async def test_a_model_that_breaks_the_gates_contract_is_502_and_not_ready(
    open_with: OpenWith, change: dict[str, Any]
) -> None:
    async with running_gateway(Settings(), open_with(type("Backend", (Odd,), change))) as client:
        check_problem(await client.get("/readyz"), 502, "model-server-error", "/readyz")
        check_problem(await post(client, CHEST), 502, "model-server-error", "/v1/predict")


@pytest.mark.parametrize(
    "change",
    [
        {"answered": {"ood_score": np.nan}},
        {"answered": {"presentation": 1.5}},
        {"answered": {"mask": -0.5}},
        {"answered": {"mask": 1.5}},
        {"record": {"classifier": {"presentations": ["frontal", "rotated"]}}},
    ],
    ids=str,
)
async def test_evidence_that_makes_no_sense_is_502(open_with: OpenWith, change: dict[str, Any]) -> None:
    async with running_gateway(Settings(), open_with(type("Backend", (Odd,), change))) as client:
        check_problem(await post(client, CHEST), 502, "model-server-error", "/v1/predict")


# Two inferences at once


class Meeting(EmbeddedBackend):
    """Answers only once both models have been asked, and takes 0.2 s for each."""

    arrived = 0
    priorities: ClassVar[set[Priority]] = set()

    async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        type(self).arrived += 1
        self.priorities.add(kwargs["priority"])
        while self.arrived < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        return await super().infer(*args, **kwargs)


async def test_both_models_are_asked_at_the_same_time_and_the_wait_counts_once(open_with: OpenWith) -> None:
    async with running_gateway(Settings(request_timeout_s=5), open_with(Meeting)) as client:
        answer = (await post(client, CHEST)).json()
    timings = answer["timings_ms"]
    assert 200 <= timings["inference"] < 390
    assert timings["total"] >= timings["decode"] + timings["preprocess"] + timings["inference"]
    assert Meeting.priorities == {Priority.PREDICTION}


async def test_the_failure_of_one_model_calls_the_other_off(open_with: OpenWith) -> None:
    class HalfFailing(EmbeddedBackend):
        """Loses the segmenter while the classifier is at work."""

        called_off = False

        async def infer(self, model: ModelSpec, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            if model.name == "lung_segmenter":
                raise BackendUnavailable("gone")
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                type(self).called_off = True
                raise
            return await super().infer(model, *args, **kwargs)

    async with running_gateway(Settings(), open_with(HalfFailing)) as client:
        answer = await asyncio.wait_for(post(client, CHEST), 2)
    check_problem(answer, 503, "model-server-unavailable", "/v1/predict")
    assert HalfFailing.called_off


async def test_uniform_images_of_any_level_pass(client: httpx.AsyncClient) -> None:
    for level in (0, 128, 255):
        assert (await quality_of(client, grey(level)))["warnings"] == []
