"""Feature maps through `POST /v1/explain`, held against what numpy makes of the image."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from api.settings import Settings
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.api.test_maps import ask, blocky, explain, picture, recording
from tests.images import grey

Opener = Callable[[type[EmbeddedBackend]], OpenBackend]
GAP = 4  # pixels, at the usual size of 512


async def layers(client: httpx.AsyncClient, pixels: Any, **query: Any) -> list[dict[str, Any]]:
    block: list[dict[str, Any]] = (await explain(client, pixels, methods="layers", **query))["layers"]["layers"]
    return block


def magma(shares: Any) -> Any:
    """Every tenth of the colour map "magma", copied from matplotlib once more, and straight lines between."""
    anchors = bytes.fromhex("000004 140e36 3b0f70 641a80 8c2981 b73779 de4968 f7705c fe9f6d fecf92 fcfdbf")
    colours = np.frombuffer(anchors, np.uint8).reshape(11, 3)
    return np.stack([np.interp(shares, np.linspace(0, 1, 11), colour) for colour in colours.T], axis=-1)


async def test_each_layer_says_what_it_shows(client: httpx.AsyncClient) -> None:
    early, late = await layers(client, blocky())
    assert (early["layer"], late["layer"]) == ("early", "late")
    assert (early["size"], late["size"]) == ({"height": 8, "width": 8}, {"height": 2, "width": 2})
    assert (early["channels"], late["channels"]) == ([*tiny.EARLY_CHANNELS], [*tiny.LATE_CHANNELS])
    assert (early["scale"], late["scale"]) == ([0, 4], [0, 0.5])
    assert (early["non_finite"], late["non_finite"]) == (False, False)
    assert early["signed"] is False
    assert late["signed"] is bool((tiny.features_of(blocky()[np.newaxis, ..., np.newaxis])[1] < 0).any())


async def test_the_montages_show_the_maps(client: httpx.AsyncClient) -> None:
    image = blocky()
    image[:64, :64] //= 2  # so that a quadrant of the late layer is negative
    expected = tiny.features_of(image[np.newaxis, ..., np.newaxis])
    assert expected[1].min() < -0.1 < 0.01 < expected[1].max()
    for layer, maps in zip(await layers(client, image), expected, strict=True):
        drawn = picture(layer["montage"]).astype(float)
        size = (drawn.shape[1] - 3 * GAP) // 4
        for place, values in enumerate(maps[0]):
            tile = drawn[-size:, place * (size + GAP) :][:, :size]
            cells = np.arange(len(values)) * size // len(values) + size // (2 * len(values))
            shares = np.clip(np.abs(values) / layer["scale"][1], 0, 1)
            np.testing.assert_allclose(tile[np.ix_(cells, cells)], magma(shares), atol=1.5)


async def test_montages_are_of_the_format_and_size_asked_for(client: httpx.AsyncClient) -> None:
    for layer in await layers(
        client, np.kron(blocky(), np.ones((1, 2), np.uint8)), overlay_format="webp", overlay_size=256
    ):
        montage = layer["montage"]
        assert montage["media_type"] == "image/webp"
        assert (montage["width"], montage["height"]) == picture(montage).shape[1::-1]
        assert 240 <= montage["width"] <= 256


async def test_the_same_value_has_the_same_colour_on_two_radiographs(client: httpx.AsyncClient) -> None:
    first = grey(140, 128, 128)
    second = first.copy()
    second[96:112, 96:112] = 250
    one, other = [picture((await layers(client, image))[0]["montage"]) for image in (first, second)]
    np.testing.assert_array_equal(one[:60], other[:60])
    assert (one != other).any()


async def test_a_layer_that_is_not_finite_is_not_drawn_and_spoils_no_other(client: httpx.AsyncClient) -> None:
    image = blocky()
    image[:16, :16] = 255
    early, late = await layers(client, image)
    assert (early["non_finite"], early["montage"]) == (True, None)
    assert early["signed"] is False
    assert late["montage"] is not None


async def test_layers_share_the_inference_of_the_maps(open_with: Opener) -> None:
    backend = recording()
    async with running_gateway(Settings(), open_with(backend)) as client:
        await explain(client, blocky(), methods="grad_cam,layers")
    asked = [outputs for name, outputs, *_ in backend.calls if name == "classifier_explain"]
    features = ("features_1", "features_2", "features_1_channels", "features_2_channels")
    assert asked == [("grad_cam", *features)]


async def test_normal_has_layers_only_if_asked(client: httpx.AsyncClient) -> None:
    assert await explain(client, blocky() // 4, methods="layers") == {}
    assert len(await layers(client, blocky() // 4, always="true")) == 2


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (None, "must hold a list 'features'"),
        ([], "must hold a list 'features'"),
        ([{**tiny.FEATURES[0], "scale": 0}], "must hold a list 'features'"),
        ([{**tiny.FEATURES[0], "output": "features_9"}], "must have the outputs ['features_9']"),
        ([{**tiny.FEATURES[0], "output": "saliency"}], "'saliency' of 'classifier_explain' must be of shape"),
        ([{**tiny.FEATURES[0], "channels": "features_2_channels"}], "must be of shape [n, k, h, w]"),
    ],
    ids=repr,
)
async def test_layers_that_are_not_as_published_are_502_and_the_other_methods_work(
    open_with: Opener, features: object, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = recording(release={"features": features})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods="layers")
        others = await ask(client, blocky(), methods="grad_cam,occlusion")
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")
    assert "features" not in answer.text
    assert sentence in caplog.text
    assert others.status_code == 200


async def test_without_the_explaining_model_layers_are_not_available(open_with: Opener) -> None:
    async with running_gateway(Settings(), open_with(recording(lacking=("classifier_explain",)))) as client:
        answer = await ask(client, blocky(), methods="layers")
        occlusion = await ask(client, blocky(), methods="occlusion")
    assert answer.status_code == 503
    assert occlusion.status_code == 200
