"""A site's own prevalence and threshold, through the gateway; expectations by Bayes' rule on odds."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.settings import Settings
from serving.backend import ModelSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.api.test_problems import check_problem
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
LEVELS = (0, 60, 79, 80, 82, 84, 86, 90, 130, 255)


@asynccontextmanager
async def gateway(repository: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=repository, **settings)) as client:
        yield client


async def prediction_of(client: httpx.AsyncClient, level: int, path: str = "/v1/predict") -> dict[str, Any]:
    answer = await client.post(path, content=encode(grey(level)), headers=PNG)
    prediction: dict[str, Any] = answer.raise_for_status().json()["prediction"]
    return prediction


def odds(probability: float) -> float:
    return probability / (1 - probability)


def probability(odds: float) -> float:
    return odds / (1 + odds)


def pneumonia_at(level: int, prevalence: float) -> float:
    images = np.full((1, tiny.SIZE, tiny.SIZE, 1), level, np.uint8)
    published = tiny.probabilities_of(images)[0, 1]
    return probability(odds(published) * odds(prevalence) / odds(tiny.PREVALENCE))


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize("prevalence", [0.02, 0.3, 0.6, 0.9])
async def test_a_prevalence_moves_probabilities_and_threshold_and_no_label(
    client: httpx.AsyncClient, tiny_repository: Path, prevalence: float, path: str
) -> None:
    threshold = probability(odds(tiny.DECISION_THRESHOLD) * odds(prevalence) / odds(tiny.PREVALENCE))
    async with gateway(tiny_repository, prevalence=prevalence) as site:
        for level in LEVELS:
            published, moved = await prediction_of(client, level, path), await prediction_of(site, level, path)
            expected = pneumonia_at(level, prevalence)
            assert moved["probabilities"] == pytest.approx({"NORMAL": 1 - expected, "PNEUMONIA": expected}, abs=1e-5)
            assert sum(moved["probabilities"].values()) == pytest.approx(1, abs=1e-12)
            assert moved["decision_threshold"] == pytest.approx(threshold)
            assert (moved["prevalence"], published["prevalence"]) == (prevalence, tiny.PREVALENCE)
            assert (moved["label"], moved["indeterminate"]) == (published["label"], published["indeterminate"])


@pytest.mark.parametrize("prevalence", [None, 0.3])
async def test_a_threshold_holds_on_the_probability_that_is_shown(
    tiny_repository: Path, prevalence: float | None
) -> None:
    lower, upper = (
        probability(odds(bound) * odds(0.2) / odds(tiny.DECISION_THRESHOLD)) for bound in tiny.INDETERMINATE_BAND
    )
    seen = set()
    async with gateway(tiny_repository, prevalence=prevalence, decision_threshold=0.2) as client:
        for level in (0, 40, 49, 52, 55, 88, 91, 94, 255):
            prediction = await prediction_of(client, level)
            expected = pneumonia_at(level, prevalence or tiny.PREVALENCE)
            assert prediction["label"] == ("PNEUMONIA" if expected >= 0.2 else "NORMAL")
            assert prediction["indeterminate"] == (lower <= expected <= upper)
            assert prediction["decision_threshold"] == 0.2
            assert prediction["prevalence"] == (prevalence or tiny.PREVALENCE)
            seen.add((prediction["label"], prediction["indeterminate"]))
    assert seen == {("NORMAL", False), ("NORMAL", True), ("PNEUMONIA", True), ("PNEUMONIA", False)}


async def test_a_threshold_decides_whether_there_are_explanations(
    client: httpx.AsyncClient, tiny_repository: Path
) -> None:
    image = encode(grey(60))  # P(PNEUMONIA) 0.25: NORMAL as published
    published = (await client.post("/v1/explain", content=image, headers=PNG)).json()
    async with gateway(tiny_repository, decision_threshold=0.2) as site:
        moved = (await site.post("/v1/explain", content=image, headers=PNG)).json()
    assert (published["explanations"], set(moved["explanations"])) == ({}, {"silhouette", "gradient"})


async def test_the_list_of_models_shows_what_was_published_and_what_is_in_force(tiny_repository: Path) -> None:
    async with gateway(tiny_repository, prevalence=0.3, decision_threshold=0.2) as client:
        models = {model["name"]: model for model in (await client.get("/v1/models")).json()["models"]}
    classifier = models["classifier"]
    assert (classifier["decision_threshold"], classifier["prevalence"]) == (tiny.DECISION_THRESHOLD, tiny.PREVALENCE)
    assert classifier["in_force"] == {"decision_threshold": 0.2, "prevalence": 0.3}
    assert models["pixel_importance"]["in_force"] is None


class WithoutPrevalence(EmbeddedBackend):
    """A classifier that was published before prevalences were."""

    async def models(self) -> Sequence[ModelSpec]:
        classifier, *others = await super().models()
        release = {key: value for key, value in classifier.release.items() if key != "prevalence"}
        return [dataclasses.replace(classifier, release=release), *others]


async def test_a_prevalence_without_a_published_one_is_refused_by_name(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
) -> None:
    async with running_gateway(Settings(prevalence=0.3), open_with(WithoutPrevalence)) as client:
        for path, answer in {
            "/readyz": await client.get("/readyz"),
            "/v1/predict": await client.post("/v1/predict", content=encode(grey(10)), headers=PNG),
        }.items():
            check_problem(answer, 503, "model-server-unavailable", path)
            assert answer.json()["detail"] == (
                "CXR_PREVALENCE must be empty with 'classifier' version 1: "
                "its release holds no `prevalence` to start from."
            )
        (classifier, *_) = (await client.get("/v1/models")).json()["models"]
        assert classifier["in_force"] is None


async def test_a_threshold_needs_no_published_prevalence(
    open_with: Callable[[type[EmbeddedBackend]], OpenBackend],
) -> None:
    async with running_gateway(Settings(decision_threshold=0.2), open_with(WithoutPrevalence)) as client:
        assert (await client.get("/readyz")).status_code == 200
        prediction = await prediction_of(client, 60)
    assert (prediction["label"], prediction["decision_threshold"], prediction["prevalence"]) == ("PNEUMONIA", 0.2, None)
