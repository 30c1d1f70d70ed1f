"""`POST /v1/predict` on the tiny repository: every number can be computed from the pixels."""

import httpx
import numpy as np
import pytest

from api.types import DISCLAIMER
from tests import tiny_repository as tiny
from tests.images import encode, grey

PNG = {"content-type": "image/png"}


def probability_of_pneumonia(level: int) -> float:
    return float(tiny.probabilities_of(np.full((1, 128, 128, 1), level, np.uint8))[0, 1])


@pytest.mark.parametrize("level", [0, 60, 80, 90, 130, 255])
async def test_the_answer_follows_the_model_and_its_published_decision_rule(
    client: httpx.AsyncClient, level: int
) -> None:
    answer = (await client.post("/v1/predict", content=encode(grey(level)), headers=PNG)).json()
    expected = probability_of_pneumonia(level)
    label = "PNEUMONIA" if expected >= tiny.DECISION_THRESHOLD else "NORMAL"
    prediction = answer["prediction"]
    assert prediction["probabilities"] == pytest.approx({"NORMAL": 1 - expected, "PNEUMONIA": expected}, abs=1e-5)
    assert prediction["label"] == label
    assert prediction["probability"] == prediction["probabilities"][label]
    assert prediction["decision_threshold"] == tiny.DECISION_THRESHOLD
    lower, upper = tiny.INDETERMINATE_BAND
    assert prediction["indeterminate"] == (lower <= expected <= upper)


async def test_the_answer_says_what_was_judged_and_by_what(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/predict", content=encode(grey(200), "jpeg"), headers=PNG)).json()
    assert answer["input"] == {"format": "jpeg", "width": 200, "height": 150, "bit_depth": 8}
    assert answer["model"] == {"name": "classifier", "version": "1", "architecture": "tiny"}
    assert answer["disclaimer"] == DISCLAIMER
    # A uniform image has no contrast, so its ood_score is 0; the limits are 3 and 7.
    assert answer["quality"] == {"is_chest_xray": True, "score": pytest.approx(1 / (1 + 9 ** (-7 / 4))), "warnings": []}
    assert "explanations" not in answer
    assert "agreement" not in answer
    timings = answer["timings_ms"]
    assert timings["total"] >= timings["decode"] + timings["preprocess"] + timings["inference"] > 0


async def test_a_form_and_a_bare_body_give_the_same_answer(client: httpx.AsyncClient) -> None:
    image = encode(grey(140))
    bare = await client.post("/v1/predict", content=image, headers=PNG)
    form = await client.post("/v1/predict", files={"image": ("any name.png", image, "image/png")})
    undeclared = await client.post("/v1/predict", files={"image": ("any", image, "application/octet-stream")})
    assert bare.status_code == form.status_code == undeclared.status_code == 200
    assert bare.json()["prediction"] == form.json()["prediction"] == undeclared.json()["prediction"]


async def test_an_upload_above_a_megabyte_is_read_whole(client: httpx.AsyncClient) -> None:
    """Starlette spools form files above 1 MB to disk by default; here they stay in memory."""
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), dtype=np.uint8)
    answer = await client.post("/v1/predict", files={"image": ("x.png", encode(noise), "image/png")})
    assert answer.json()["prediction"]["probabilities"]["PNEUMONIA"] == pytest.approx(
        probability_of_pneumonia(127), abs=0.01
    )


async def test_request_ids_are_taken_over_if_safe_and_made_otherwise(client: httpx.AsyncClient) -> None:
    image = encode(grey(10))
    kept = await client.post("/v1/predict", content=image, headers={**PNG, "X-Request-Id": "ward-7.42"})
    assert kept.json()["request_id"] == kept.headers["x-request-id"] == "ward-7.42"
    replaced = await client.post("/v1/predict", content=image, headers={**PNG, "X-Request-Id": "a b\tc"})
    assert replaced.json()["request_id"] == replaced.headers["x-request-id"] != "a b\tc"


async def test_answers_may_not_be_cached(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/predict", content=encode(grey(10)), headers=PNG)
    assert answer.headers["cache-control"] == "no-store"
