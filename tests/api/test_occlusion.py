"""Occlusion through `POST /v1/explain`: the tiny classifier is linear, so that every drop can be worked out by hand."""

import base64
import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.explain.grid import GRIDS
from api.explain.occlusion import SCALE
from api.settings import Settings
from serving.backend import ModelSpec, Priority, TensorSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.api.test_maps import ask, explain, recording
from tests.images import grey

Opener = Callable[[type[EmbeddedBackend]], OpenBackend]
PER_LEVEL = tiny.SLOPE / 255  # log-odds for one grey level of the whole frame


def quadrants(upper_left: int, upper_right: int, lower_left: int, lower_right: int) -> NDArray[np.uint8]:
    """An image of the model's own size, which nothing blurs on its way."""
    levels = np.array([[upper_left, upper_right], [lower_left, lower_right]], np.uint8)
    return np.kron(levels, np.ones((64, 64), np.uint8))


IMAGE = quadrants(120, 160, 110, 140)
LOG_ODDS = PER_LEVEL * 132.5 + tiny.OFFSET


async def occlude(client: httpx.AsyncClient, pixels: NDArray[np.uint8], **query: Any) -> dict[str, Any]:
    block: dict[str, Any] = (await explain(client, pixels, methods="occlusion", **query))["occlusion"]
    return block


def drops_of(block: dict[str, Any]) -> dict[str, float]:
    return {each["name"]: each["drop"] for each in block["regions"]}


def box(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}


async def test_the_drops_of_black_halves_and_quadrants_are_their_share_of_the_sum(client: httpx.AsyncClient) -> None:
    block = await occlude(client, IMAGE, fill="black")
    assert block["baseline"] == pytest.approx(LOG_ODDS, abs=1e-4)
    assert [block[key] for key in ("fill", "none", "unit", "scale")] == ["black", False, "log-odds", [0, SCALE.upper]]
    levels = {
        "image_left": 230,
        "image_right": 300,
        "image_upper_left": 120,
        "image_upper_right": 160,
        "image_lower_left": 110,
        "image_lower_right": 140,
    }
    assert drops_of(block) == pytest.approx({name: PER_LEVEL * level / 4 for name, level in levels.items()}, abs=1e-4)
    assert [each["rank"] for each in block["regions"]] == [2, 1, 3, 1, 4, 2]
    assert (block["half"], block["quadrant"]) == ("image_right", "image_upper_right")
    assert block["bounding_box"] == box(64, 0, 64, 64)
    boxes = {each["name"]: each["bounding_box"] for each in block["regions"]}
    assert boxes["image_right"] == box(64, 0, 64, 128)
    assert boxes["image_lower_left"] == box(0, 64, 64, 64)


async def test_boxes_lie_on_the_image_as_sent_and_the_overlay_has_its_proportions(client: httpx.AsyncClient) -> None:
    image = np.kron(IMAGE, np.ones((1, 3), np.uint8))
    block = await occlude(client, image, fill="black", overlay_size=300, overlay_format="webp")
    assert block["bounding_box"] == box(192, 0, 192, 64)
    overlay = block["overlay"]
    assert (overlay["media_type"], overlay["width"], overlay["height"]) == ("image/webp", 300, 100)


async def test_the_overlay_colours_the_quadrants_on_the_fixed_scale(client: httpx.AsyncClient) -> None:
    block = await occlude(client, IMAGE, fill="black", overlay_size=128)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(block["overlay"]["data"])))).astype(int)
    weaker, strongest = drawn[100, 30], drawn[30, 100]
    # The first tenths of magma (see `scaled_map`), by hand.
    tenths = np.array([[0, 0, 4], [20, 14, 54], [59, 15, 112], [100, 26, 128]])
    for place, level in ((weaker, 110), (strongest, 160)):
        share = PER_LEVEL * level / 4 / SCALE.upper
        assert 0 < share < 0.3
        ink = np.array([np.interp(share, [0, 0.1, 0.2, 0.3], channel) for channel in tenths.T])
        np.testing.assert_allclose(place, level * (1 - 0.45 * share) + ink * 0.45 * share, atol=2)


async def test_by_default_their_surroundings_fill_the_regions(client: httpx.AsyncClient) -> None:
    plain, filled = await occlude(client, IMAGE), await occlude(client, IMAGE, fill="mean")
    assert plain == filled
    assert plain["fill"] == "mean"


async def test_a_blurred_half_keeps_its_mean_but_for_what_flows_over_its_edge(client: httpx.AsyncClient) -> None:
    blurred = await occlude(client, IMAGE, fill="blur")
    assert blurred["fill"] == "blur"
    assert max(abs(drop) for drop in drops_of(blurred).values()) < 0.1


async def test_the_mean_is_that_of_the_surroundings(client: httpx.AsyncClient) -> None:
    """Around a quadrant of 64 x 64 pixels lies a ring of 8: 512 pixels of each neighbour, and a corner of 64."""
    block = await occlude(client, IMAGE, fill="mean")
    around = round((512 * 160 + 512 * 110 + 64 * 140) / 1088)
    assert drops_of(block)["image_upper_left"] == pytest.approx(PER_LEVEL * (120 - around) / 4, abs=1e-4)
    assert drops_of(block)["image_upper_left"] < 0
    assert drops_of(block)["image_left"] == pytest.approx(PER_LEVEL * (230 - 2 * 150) / 4, abs=1e-4)
    assert (block["half"], block["quadrant"]) == ("image_right", "image_upper_right")


@pytest.mark.parametrize("count", GRIDS)
async def test_a_grid_names_its_cell(client: httpx.AsyncClient, count: int) -> None:
    rows, columns = GRIDS[count]
    image = grey(130, 240, 240)
    image[-20:, :30] = 250  # within the last cell of the first column of every grid
    block = await occlude(client, image, regions=count, fill="mean")
    assert len(block["regions"]) == count
    winner = block["regions"][(rows - 1) * columns]
    assert (winner["rank"], block["bounding_box"]) == (1, winner["bounding_box"])
    assert winner["bounding_box"] == box(0, 240 - 240 // rows, 240 // columns, 240 // rows)
    assert winner["drop"] > 0
    assert block["half"] is None
    assert block["quadrant"] == ("image_lower_left" if count == 4 else None)
    assert sorted(each["rank"] for each in block["regions"]) == list(range(1, count + 1))


async def test_where_hiding_lowers_nothing_nothing_is_named_or_drawn(client: httpx.AsyncClient) -> None:
    block = await occlude(client, grey(200, 128, 128))
    assert block["none"] is True
    assert [block[key] for key in ("half", "quadrant", "bounding_box", "overlay")] == [None] * 4
    assert set(drops_of(block).values()) == {0}
    assert block["baseline"] == pytest.approx(PER_LEVEL * 200 + tiny.OFFSET, abs=1e-4)


async def test_negative_drops_are_no_evidence(client: httpx.AsyncClient) -> None:
    """Dark on bright: with its surroundings in its place, every quadrant with a spot would be brighter."""
    image = grey(220, 128, 128)
    for y, x in ((30, 30), (30, 90), (90, 30), (90, 90)):
        image[y : y + 8, x : x + 8] = 0
    block = await occlude(client, image, fill="mean")
    assert max(drops_of(block).values()) < -0.02
    assert (block["none"], block["overlay"], block["quadrant"]) == (True, None, None)


async def test_normal_has_no_occlusion_unless_asked(client: httpx.AsyncClient, open_with: Opener) -> None:
    dark = quadrants(40, 60, 20, 30)
    assert await explain(client, dark, methods="occlusion") == {}
    assert (await occlude(client, dark, always="true", fill="black"))["quadrant"] == "image_upper_right"
    backend = recording()
    async with running_gateway(Settings(), open_with(backend)) as other:
        assert await explain(other, dark, methods="occlusion") == {}
    assert [name for name, *_ in backend.calls].count("classifier") == 1


@pytest.mark.parametrize(("regions", "copies"), [(None, 6), (4, 4), (6, 6), (8, 8), (16, 16), (24, 24)])
async def test_occlusion_costs_one_request_behind_predictions(
    open_with: Opener, regions: int | None, copies: int
) -> None:
    backend = recording()
    query = {} if regions is None else {"regions": regions}
    async with running_gateway(Settings(), open_with(backend)) as client:
        await occlude(client, IMAGE, fill="black", **query)
    predicted, explained = [call for call in backend.calls if call[0] == "classifier"]
    assert len(backend.calls) == 3  # and the lung segmenter, for the gate
    _, outputs, priority, batch = explained
    assert (outputs, priority) == (("logits",), Priority.EXPLANATION)
    assert predicted[2] == Priority.PREDICTION
    assert batch.shape == (copies + 1, 128, 128, 1)
    np.testing.assert_array_equal(batch[:1], predicted[3])
    hidden = (batch[1:, ..., 0] == 0).sum(axis=0)
    assert set(hidden.flat) == ({2} if regions is None else {1})


async def test_a_classifier_without_log_odds_cannot_be_asked_and_the_rest_works(
    open_with: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Backend(EmbeddedBackend):
        """Describes a classifier of probabilities alone."""

        async def models(self) -> Sequence[ModelSpec]:
            return [_without_logits(model) for model in await super().models()]

    async with running_gateway(Settings(), open_with(Backend)) as client:
        answer = await ask(client, IMAGE, methods="occlusion")
        others = await ask(client, IMAGE, methods="silhouette")
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")
    assert "Model 'classifier' must have the outputs ['logits']" in caplog.text
    assert others.status_code == 200


def _without_logits(model: ModelSpec) -> ModelSpec:
    if model.name != "classifier":
        return model
    outputs: tuple[TensorSpec, ...] = tuple(output for output in model.outputs if output.name != "logits")
    return dataclasses.replace(model, outputs=outputs)


@pytest.mark.parametrize(
    "query", [{"regions": 5}, {"regions": 0}, {"regions": "many"}, {"fill": "white"}, {"fill": ""}]
)
async def test_other_regions_and_fills_are_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await ask(client, IMAGE, methods="occlusion", **query)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
