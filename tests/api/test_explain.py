"""`POST /v1/explain` on the tiny repository, whose importance map is grey level times a ramp."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests import tiny_repository as tiny
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
BRIGHT = grey(200)


def picture(block: dict[str, Any]) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(base64.b64decode(block["data"])))
    assert (image.width, image.height) == (block["width"], block["height"])
    assert Image.MIME[str(image.format)] == block["media_type"]
    return np.asarray(image)


async def explain(client: httpx.AsyncClient, pixels: NDArray[np.uint8], **query: Any) -> dict[str, Any]:
    answer = await client.post("/v1/explain", content=encode(pixels), headers=PNG, params=query)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def test_normal_carries_no_explanation_unless_asked(client: httpx.AsyncClient) -> None:
    dark = grey(20)
    answer = await explain(client, dark)
    assert answer["prediction"]["label"] == "NORMAL"
    assert answer["explanations"] == {}
    assert set((await explain(client, dark, always="true"))["explanations"]) == {"silhouette", "gradient"}


async def test_pneumonia_carries_both_and_how_far_they_agree(client: httpx.AsyncClient) -> None:
    answer = await explain(client, BRIGHT)
    assert answer["prediction"]["label"] == "PNEUMONIA"
    assert set(answer["explanations"]) == {"silhouette", "gradient"}
    assert [pair["methods"] for pair in answer["agreement"]["pairs"]] == [["silhouette", "gradient"]]
    assert set(answer["trust"]["methods"]) == {"silhouette", "gradient"}


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ("gradient", ["gradient"]),
        ("grad_cam, silhouette", ["grad_cam", "silhouette"]),
        ("saliency,saliency", ["saliency"]),
        ("all", ["grad_cam", "grad_cam_plus_plus", "gradient", "layers", "occlusion", "saliency", "silhouette"]),
    ],
)
async def test_only_the_methods_asked_for_are_made(
    client: httpx.AsyncClient, methods: str, expected: list[str]
) -> None:
    assert sorted((await explain(client, BRIGHT, methods=methods))["explanations"]) == expected


async def test_the_silhouette_box_lies_on_the_pixels_of_the_image_as_sent(client: httpx.AsyncClient) -> None:
    image = grey(150, rows=401, columns=601)
    image[220:320, 320:580] = 255
    silhouette = (await explain(client, image))["explanations"]["silhouette"]
    assert (silhouette["half"], silhouette["quadrant"]) == ("image_right", "image_lower_right")
    # Half of 601 columns is 300.5: rounded outwards the box begins at 300 and ends at 601.
    assert silhouette["bounding_box"] == {"x": 300, "y": 200, "width": 301, "height": 201}
    assert silhouette["scores"]["image_left"] + silhouette["scores"]["image_right"] == pytest.approx(1)
    assert 0.5 < silhouette["scores"]["image_right"] < 0.6


async def test_the_gradient_is_importance_stretched_and_cut_at_the_threshold(client: httpx.AsyncClient) -> None:
    """The image is uniform, so the importance is the ramp of weights: pixels from 0.9 of it are shown."""
    gradient = (await explain(client, grey(200, 256, 256), threshold=0.9))["explanations"]["gradient"]
    ramp = tiny.importance_weights()
    shown = ramp >= 0.9
    assert gradient["coverage"] == pytest.approx(shown.mean(), abs=1 / 128**2)
    first_row = int(np.flatnonzero(shown.any(axis=1))[0])
    assert gradient["bounding_box"] == {"x": 0, "y": 2 * first_row, "width": 256, "height": 256 - 2 * first_row}
    assert gradient["heatmap"]["range"] == pytest.approx([0, 200 / 255], abs=1e-5)
    np.testing.assert_allclose(picture(gradient["heatmap"]) / 255, ramp, atol=1 / 255)
    overlay = picture(gradient["overlay"])
    coloured = (overlay != 200).any(axis=-1)[::4, ::4]
    np.testing.assert_array_equal(coloured, shown)


async def test_a_black_image_has_a_constant_map_that_is_flagged(client: httpx.AsyncClient) -> None:
    gradient = (await explain(client, grey(0), always="true", methods="gradient"))["explanations"]["gradient"]
    assert gradient["constant"] is True
    assert gradient["bounding_box"] is None
    assert gradient["coverage"] == 0
    assert not picture(gradient["overlay"]).any()


@pytest.mark.parametrize("overlay_format", ["png", "jpeg", "webp"])
async def test_overlays_have_the_size_and_format_asked_for(client: httpx.AsyncClient, overlay_format: str) -> None:
    answer = await explain(client, BRIGHT, overlay_format=overlay_format, overlay_size=64)
    for block in answer["explanations"].values():
        assert block["overlay"]["media_type"] == f"image/{overlay_format}"
        assert picture(block["overlay"]).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "query",
    [
        {"threshold": "0.49"},
        {"threshold": "1.01"},
        {"threshold": "high"},
        {"overlay_size": "63"},
        {"overlay_size": "2049"},
        {"overlay_format": "gif"},
        {"methods": "lime"},
        {"methods": ""},
        {"methods": "silhouette,"},
        {"always": "perhaps"},
        {"regions": "5"},
        {"regions": "four"},
        {"fill": "noise"},
        {"trust": "blind"},
        {"lungs": "left"},
        {"smooth": "true"},
    ],
)
async def test_parameters_out_of_range_or_unknown_are_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await client.post("/v1/explain", content=encode(BRIGHT), headers=PNG, params=query)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert answer.json()["detail"].startswith(next(iter(query)))
