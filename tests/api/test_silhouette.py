"""Options of the silhouette method in `POST /v1/explain`; the tiny repository's lungs are the middle quarter."""

import base64
import dataclasses
import io
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.settings import Settings
from serving import BackendSettings
from serving.backend import InferenceBackend, ModelSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import running_gateway
from tests.images import encode, grey

Opener = Callable[[type[EmbeddedBackend]], Callable[[BackendSettings], Awaitable[InferenceBackend]]]
PNG = {"content-type": "image/png"}
STUDY_FIELDS = ("half", "quadrant", "bounding_box", "scores", "overlay")


async def ask(client: httpx.AsyncClient, image: NDArray[np.uint8], **query: Any) -> httpx.Response:
    asked = {"methods": "silhouette", "always": "true", **query}
    return await client.post("/v1/explain", content=encode(image), headers=PNG, params=asked)


async def silhouette(client: httpx.AsyncClient, image: NDArray[np.uint8], **query: Any) -> dict[str, Any]:
    answer = await ask(client, image, **query)
    assert answer.status_code == 200, answer.text
    block: dict[str, Any] = answer.json()["explanations"]["silhouette"]
    return block


def box(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}


def spotted() -> NDArray[np.uint8]:
    """256 x 256; a brighter spot in the lower right of the lungs, a white one outside of them, upper left."""
    image = grey(100, 256, 256)
    image[144:160, 144:176] = 140
    image[50:60, 20:60] = 255
    return image


async def test_without_options_the_rule_is_the_study_s_and_its_fields_are_as_they_were(
    client: httpx.AsyncClient,
) -> None:
    block = await silhouette(client, spotted())
    assert block["rule"] == "study"
    assert (block["regions"], block["lungs_found"], block["borders"]) == (None, None, None)
    assert set(block) == {"rule", "regions", "lungs_found", "borders", *STUDY_FIELDS}
    assert set(block["scores"]) == {"image_left", "image_right", "image_upper_left", "image_lower_left"}
    assert block["bounding_box"] == box(0, 0, 128, 128)


async def test_a_grid_names_every_region_by_score_rank_and_box(client: httpx.AsyncClient) -> None:
    image = spotted()
    block = await silhouette(client, image, regions=6)
    assert (block["rule"], block["half"], block["quadrant"]) == ("grid", "image_left", "image_upper_left")
    assert (block["lungs_found"], block["borders"]) == (None, None)
    # Rows 20, 50, 80 and 110 of 128 are rows 40, 100, 160 and 220 of 256.
    sums = {
        f"image_{zone}_{side}": float(image[top : top + 60, left : left + 128].astype(int).sum())
        for zone, top in (("upper", 40), ("middle", 100), ("lower", 160))
        for side, left in (("left", 0), ("right", 128))
    }
    scores = {name: amount / sum(sums.values()) for name, amount in sums.items()}
    assert block["scores"] == pytest.approx(scores, abs=1e-3)
    assert [region["name"] for region in block["regions"]] == list(sums)
    assert {region["name"]: region["score"] for region in block["regions"]} == block["scores"]
    ranks = {region["rank"]: region for region in block["regions"]}
    assert sorted(ranks) == [1, 2, 3, 4, 5, 6]
    assert (ranks[1]["name"], ranks[2]["name"]) == ("image_upper_left", "image_middle_right")
    assert ranks[1]["bounding_box"] == block["bounding_box"] == box(0, 40, 128, 60)
    assert ranks[2]["bounding_box"] == box(128, 100, 128, 60)


async def test_in_a_middle_row_there_is_no_quadrant(client: httpx.AsyncClient) -> None:
    image = grey(100, 128, 128)
    image[60:70, 10:20] = 255
    block = await silhouette(client, image, regions=6)
    assert (block["half"], block["quadrant"]) == ("image_left", None)
    assert block["bounding_box"] == box(0, 50, 64, 30)


async def test_lungs_alone_are_looked_at(client: httpx.AsyncClient) -> None:
    """Outside of them, the white spot decides no more; without `regions`, there are four."""
    block = await silhouette(client, spotted(), lungs="true")
    assert (block["rule"], block["lungs_found"]) == ("lungs", True)
    assert (block["half"], block["quadrant"]) == ("image_right", "image_lower_right")
    assert block["bounding_box"] == box(128, 128, 64, 64)
    # 16 x 32 of the 64 x 64 pixels are brighter by 40.
    assert block["scores"] == pytest.approx(
        {"image_upper_left": 100, "image_upper_right": 100, "image_lower_left": 100, "image_lower_right": 105}, abs=0.3
    )
    assert block["borders"] is None  # the tiny classifier sees 128 pixels, for which there are no figures


async def test_a_finer_grid_on_the_lungs(client: httpx.AsyncClient) -> None:
    block = await silhouette(client, spotted(), lungs="true", regions=16)
    # The lungs' box is 128 pixels a side, a region 32: rows and columns 128 to 160 and so on.
    by_rank = {region["rank"]: region for region in block["regions"]}
    assert (by_rank[1]["name"], by_rank[2]["name"]) == ("row_3_column_3", "row_3_column_4")
    assert by_rank[1]["score"] == pytest.approx(110, abs=1)
    assert by_rank[1]["bounding_box"] == block["bounding_box"] == box(128, 128, 32, 32)


async def test_the_overlay_shows_the_winner_bold_the_grid_thin_and_the_lungs(client: httpx.AsyncClient) -> None:
    block = await silhouette(client, spotted(), lungs="true", overlay_size=256)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(block["overlay"]["data"]))))
    assert (drawn[128:132, 150] == (255, 176, 0)).all() and not (drawn[132, 150] == (255, 176, 0)).all()
    assert (drawn[100, 127] == (128, 128, 128)).all() and not (drawn[100, 125] == (128, 128, 128)).all()
    assert (drawn == (0, 158, 115)).all(axis=-1).sum() == 0  # the lungs fill their box: the grid covers their outline


async def test_a_picture_without_lungs_is_reported_and_not_drawn(open_with: Opener) -> None:
    """The tiny segmenter is uncertain where the diagonals differ: at full contrast its mask is empty."""
    blank = tiny.pattern("diagonals", 1.0)
    settings = Settings(quality_gate="off")
    async with running_gateway(settings, open_with(EmbeddedBackend)) as ungated:
        block = await silhouette(ungated, blank, lungs="true")
        study = await silhouette(ungated, blank)
    assert (block["rule"], block["lungs_found"]) == ("lungs", False)
    assert (block["half"], block["quadrant"], block["bounding_box"], block["overlay"]) == (None, None, None, None)
    assert (block["scores"], block["regions"], block["borders"]) == ({}, [], None)
    assert study["overlay"] is not None


async def test_models_without_a_segmenter_cannot_look_at_lungs(open_with: Opener) -> None:
    class Backend(EmbeddedBackend):
        """Serves no segmenter."""

        async def models(self) -> Sequence[ModelSpec]:
            return [dataclasses.replace(model) for model in await super().models() if model.name != "lung_segmenter"]

    async with running_gateway(Settings(quality_gate="off"), open_with(Backend)) as client:
        refused = await ask(client, spotted(), lungs="true")
        other = await ask(client, spotted(), regions="8")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/model-server-unavailable")
    assert "lung_segmenter" in refused.json()["detail"]
    assert other.status_code == 200


async def test_normal_has_none_unless_asked(client: httpx.AsyncClient) -> None:
    answer = await ask(client, grey(20, 128, 128), always="false", lungs="true", regions=24)
    assert answer.json()["explanations"] == {}
