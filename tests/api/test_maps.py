"""The maps of `classifier_explain` through `POST /v1/explain`, held against what numpy makes of the image."""

import base64
import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.settings import Settings
from serving.backend import UNRELATED, Correlation, ModelSpec, Priority, Tensor, TensorSpec
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import OpenBackend, running_gateway
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
MAPS = ("saliency", "grad_cam", "grad_cam_plus_plus")
ALL = ("silhouette", "gradient", *MAPS, "occlusion", "layers")
Opener = Callable[[type[EmbeddedBackend]], OpenBackend]


def blocky() -> NDArray[np.uint8]:
    """A bright image of blocks of one level each, brightest at block (6, 2), darkest, black, at block (1, 5)."""
    blocks = np.random.default_rng(5).integers(110, 150, (8, 8), dtype=np.uint8)
    blocks[6, 2], blocks[1, 5], blocks[3, 4] = 255, 0, 230
    return np.kron(blocks, np.ones((16, 16), np.uint8))


def expected_maps(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    image = pixels[np.newaxis, ..., np.newaxis]
    grad_cam = tiny.grad_cam_of(image)[0]
    return {"grad_cam": grad_cam, "grad_cam_plus_plus": grad_cam**2, "saliency": np.abs(tiny.saliency_of(image)[0])}


def picture(block: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(block["data"]))))


async def ask(client: httpx.AsyncClient, pixels: NDArray[np.uint8], **query: Any) -> httpx.Response:
    return await client.post("/v1/explain", content=encode(pixels), headers=PNG, params=query)


async def explain(client: httpx.AsyncClient, pixels: NDArray[np.uint8], **query: Any) -> dict[str, Any]:
    answer = await ask(client, pixels, **query)
    assert answer.status_code == 200, answer.text
    explanations: dict[str, Any] = answer.json()["explanations"]
    return explanations


@pytest.mark.parametrize("threshold", [0.5, 0.85])
@pytest.mark.parametrize("method", MAPS)
async def test_heatmap_coverage_and_box_are_those_of_the_map(
    client: httpx.AsyncClient, method: str, threshold: float
) -> None:
    expected = expected_maps(blocky())[method]
    block = (await explain(client, blocky(), methods=method, threshold=threshold))[method]
    assert block["threshold"] == threshold
    assert (block["constant"], block["non_finite"]) == (False, False)
    assert block["heatmap"]["range"] == pytest.approx([0, expected.max()], rel=1e-5)
    assert (block["heatmap"]["media_type"], block["heatmap"]["width"]) == ("image/png", expected.shape[1])
    np.testing.assert_allclose(picture(block["heatmap"]), expected / expected.max() * 255, atol=0.51)
    strongest = expected >= threshold * expected.max()
    assert 0 < strongest.sum() < strongest.size
    assert block["coverage"] == pytest.approx(strongest.mean())
    cell = 128 // len(expected)
    rows, columns = (cell * np.flatnonzero(strongest.any(axis=axis)) for axis in (1, 0))
    assert block["bounding_box"] == {
        "x": columns[0],
        "y": rows[0],
        "width": columns[-1] + cell - columns[0],
        "height": rows[-1] + cell - rows[0],
    }


@pytest.mark.parametrize(
    ("method", "unit"),
    [("saliency", "log-odds per grey level"), ("grad_cam", "log-odds"), ("grad_cam_plus_plus", "arbitrary units")],
)
async def test_scale_and_unit_are_those_published_and_the_colours_follow_them(
    client: httpx.AsyncClient, method: str, unit: str
) -> None:
    block = (await explain(client, blocky(), methods=method, overlay_size=128))[method]
    assert block["scale"] == [0, tiny.MAP_SCALES[method]]
    assert block["unit"] == unit
    overlay = picture(block["overlay"]).astype(float)
    # Block (6, 2) is white and over the upper end: a quarter of 255, three quarters of magma's last colour.
    middle = overlay[6 * 16 + 8, 2 * 16 + 8]
    if method == "saliency":
        np.testing.assert_array_equal(middle, [253, 254, 207])
    # Block (1, 5) is black: of the CAMs, its value is 0 and its middle is left alone; its saliency is at the end, too.
    expected = [189, 190, 143] if method == "saliency" else [0, 0, 0]
    np.testing.assert_allclose(overlay[1 * 16 + 8, 5 * 16 + 8], expected, atol=8)


async def test_the_threshold_changes_no_colour(client: httpx.AsyncClient) -> None:
    query = {"methods": ",".join(MAPS)}
    low, high = [await explain(client, blocky(), threshold=value, **query) for value in (0.5, 1)]
    for method in MAPS:
        assert low[method]["overlay"] == high[method]["overlay"]
        assert low[method]["heatmap"] == high[method]["heatmap"]
        assert low[method]["coverage"] > high[method]["coverage"]


async def test_the_same_value_has_the_same_colour_on_two_radiographs(client: httpx.AsyncClient) -> None:
    """The second one has a far stronger spot elsewhere, which would darken a map that is stretched per image."""
    first = grey(140, 128, 128)
    first[40:60, 40:60] = 150
    second = first.copy()
    second[100:110, 100:110] = 255
    one, other = [
        (await explain(client, image, methods="saliency", overlay_size=128))["saliency"] for image in (first, second)
    ]
    np.testing.assert_array_equal(picture(one["overlay"])[:90, :90], picture(other["overlay"])[:90, :90])
    assert one["coverage"] != other["coverage"]


async def test_a_constant_map_is_reported_and_not_drawn(client: httpx.AsyncClient) -> None:
    explanations = await explain(client, grey(200, 128, 128), methods=",".join(MAPS))
    for method in MAPS:
        block = explanations[method]
        assert (block["constant"], block["non_finite"], block["coverage"]) == (True, False, 0)
        assert (block["overlay"], block["heatmap"], block["bounding_box"]) == (None, None, None)
        assert block["scale"] == [0, tiny.MAP_SCALES[method]]


async def test_a_map_that_is_not_finite_is_reported_and_spoils_no_other(client: httpx.AsyncClient) -> None:
    image = blocky()
    image[:16, :16] = 255  # the tiny model's CAMs are not numbers then
    explanations = await explain(client, image, methods="all")
    for method in ("grad_cam", "grad_cam_plus_plus"):
        block = explanations[method]
        assert (block["constant"], block["non_finite"], block["coverage"]) == (False, True, 0)
        assert (block["overlay"], block["heatmap"], block["bounding_box"]) == (None, None, None)
    assert explanations["saliency"]["non_finite"] is False
    saliency = expected_maps(image)["saliency"]
    np.testing.assert_allclose(picture(explanations["saliency"]["heatmap"]), saliency / saliency.max() * 255, atol=0.51)
    assert explanations["gradient"]["heatmap"] is not None


async def test_normal_has_maps_only_if_asked(client: httpx.AsyncClient) -> None:
    dark = blocky() // 4
    assert await explain(client, dark, methods="grad_cam") == {}
    assert set(await explain(client, dark, methods="grad_cam", always="true")) == {"grad_cam"}


async def test_the_order_of_the_methods_changes_nothing(client: httpx.AsyncClient) -> None:
    one = await explain(client, blocky(), methods=",".join(ALL))
    other = await explain(client, blocky(), methods=",".join(reversed(ALL)))
    assert one == other == await explain(client, blocky(), methods="all")
    for method in ALL:
        assert await explain(client, blocky(), methods=method) == {method: one[method]}


class Recording(EmbeddedBackend):
    """Notes every inference, and may describe `classifier_explain` in another way."""

    calls: list[tuple[str, tuple[str, ...], Priority, NDArray[np.uint8]]]
    release: Mapping[str, Any] = {}
    lacking: Sequence[str] = ()
    outputs: tuple[TensorSpec, ...] | None = None

    async def models(self) -> Sequence[ModelSpec]:
        models = [model for model in await super().models() if model.name not in self.lacking]
        return [self._described(model) if model.name == "classifier_explain" else model for model in models]

    def _described(self, model: ModelSpec) -> ModelSpec:
        release = {name: value for name, value in {**model.release, **self.release}.items() if value is not None}
        return dataclasses.replace(model, release=release, outputs=self.outputs or model.outputs)

    async def infer(
        self,
        model: ModelSpec,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        *,
        timeout: float,
        priority: Priority = Priority.PREDICTION,
        correlation: Correlation = UNRELATED,
    ) -> dict[str, Tensor]:
        self.calls.append((model.name, tuple(outputs), priority, np.asarray(inputs["image"], np.uint8)))
        return await super().infer(model, inputs, outputs, timeout=timeout, priority=priority, correlation=correlation)


def recording(**described: Any) -> type[Recording]:
    return type("Backend", (Recording,), {"calls": [], **described})


async def test_all_methods_cost_one_inference_of_each_model(open_with: Opener) -> None:
    backend = recording()
    image = np.kron(blocky(), np.ones((3, 3), np.uint8))
    async with running_gateway(Settings(), open_with(backend)) as client:
        await explain(client, image, methods="all")
    asked = {name: (outputs, priority) for name, outputs, priority, _ in reversed(backend.calls)}
    assert sorted(name for name, *_ in backend.calls) == [
        "classifier",
        "classifier",  # again for the copies of `occlusion`
        "classifier_explain",
        "lung_segmenter",
        "pixel_importance",
    ]
    features = (*(f"features_{layer}" for layer in (1, 2)), *(f"features_{layer}_channels" for layer in (1, 2)))
    assert asked["classifier_explain"] == ((*MAPS, *features), Priority.EXPLANATION)
    assert asked["pixel_importance"] == (("importance",), Priority.EXPLANATION)
    assert asked["classifier"][1] == Priority.PREDICTION
    assert "logits" not in asked["classifier"][0]


async def test_the_maps_are_made_of_what_the_classifier_saw(open_with: Opener) -> None:
    """The radiograph is shrunk by way of the training data's size, not from the study's small image."""
    backend = recording()
    image = np.random.default_rng(2).integers(0, 256, (700, 500), dtype=np.uint8)
    async with running_gateway(Settings(), open_with(backend)) as client:
        await explain(client, image, methods="grad_cam,gradient", always="true")
    seen = {name: batch for name, _, _, batch in backend.calls}
    np.testing.assert_array_equal(seen["classifier_explain"], seen["classifier"])
    assert (seen["pixel_importance"] != seen["classifier"]).any()


async def test_predictions_and_default_explanations_leave_the_explaining_model_alone(open_with: Opener) -> None:
    for lacking in ((), ("classifier_explain",)):
        backend = recording(lacking=lacking)
        async with running_gateway(Settings(), open_with(backend)) as client:
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.post("/v1/predict", content=encode(blocky()), headers=PNG)).status_code == 200
            assert set(await explain(client, blocky())) == {"silhouette", "gradient"}
        assert "classifier_explain" not in {name for name, *_ in backend.calls}


@pytest.mark.parametrize("methods", [*MAPS, "all", "silhouette,grad_cam"])
async def test_without_the_explaining_model_its_methods_are_not_available(open_with: Opener, methods: str) -> None:
    backend = recording(lacking=("classifier_explain",))
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods=methods)
        missing_like_any_other = await ask(client, blocky(), methods="gradient")
    assert missing_like_any_other.status_code == 200
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/model-server-unavailable")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "scales", [None, {}, {"saliency": 1.0}, {"grad_cam": 0}, {"grad_cam": "high"}, {"grad_cam": float("inf")}], ids=repr
)
async def test_a_scale_that_is_missing_or_wrong_is_502_and_the_other_methods_work(
    open_with: Opener, scales: object, caplog: pytest.LogCaptureFixture
) -> None:
    backend = recording(release={"map_scales": scales})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods="grad_cam")
        others = await ask(client, blocky())
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")
    assert "map_scales" not in answer.text
    assert "The release of 'classifier_explain' must hold 'map_scales'" in caplog.text
    assert others.status_code == 200
    assert "classifier_explain" not in {name for name, *_ in backend.calls}


async def test_maps_of_another_classifier_are_refused(open_with: Opener) -> None:
    backend = recording(release={"classifier_sha256": "0" * 64})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods="all")
        others = await ask(client, blocky(), methods="gradient,silhouette")
        ready = await client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/model-server-unavailable")
    assert answer.json()["detail"].startswith("'classifier_explain' must be made from the version of 'classifier'")
    assert (others.status_code, ready.status_code) == (200, 200)
    assert "classifier_explain" not in {name for name, *_ in backend.calls}


async def test_once_both_models_fit_the_maps_are_served_again(open_with: Opener) -> None:
    backend = recording(release={"classifier_sha256": "0" * 64})
    async with running_gateway(Settings(), open_with(backend)) as client:
        assert (await ask(client, blocky(), methods="grad_cam")).status_code == 503
        backend.release = {}
        assert (await ask(client, blocky(), methods="grad_cam")).status_code == 200


async def test_an_explaining_model_that_does_not_say_what_it_was_made_from_is_502(open_with: Opener) -> None:
    backend = recording(release={"classifier_sha256": None})
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods="saliency")
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")


async def test_an_explaining_model_with_a_map_of_another_form_is_502(open_with: Opener) -> None:
    spec = tuple(TensorSpec(name, "float32", (8, 8, 1)) for name in MAPS)
    backend = recording(outputs=spec)
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await ask(client, blocky(), methods="saliency")
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")


async def test_a_gradient_that_is_not_finite_is_still_502(open_with: Opener) -> None:
    class Backend(EmbeddedBackend):
        """Spoils the importance alone."""

        async def infer(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            answer = await super().infer(*args, **kwargs)
            return {name: np.full_like(v, np.nan) if name == "importance" else v for name, v in answer.items()}

    async with running_gateway(Settings(), open_with(Backend)) as client:
        answer = await ask(client, blocky(), methods="gradient,grad_cam")
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/model-server-error")


@pytest.mark.parametrize("overlay_format", ["png", "jpeg", "webp"])
async def test_overlays_of_maps_have_the_size_and_format_asked_for(
    client: httpx.AsyncClient, overlay_format: str
) -> None:
    wide = np.kron(blocky(), np.ones((2, 4), np.uint8))
    explanations = await explain(client, wide, methods=",".join(MAPS), overlay_format=overlay_format, overlay_size=200)
    for block in explanations.values():
        assert block["overlay"]["media_type"] == f"image/{overlay_format}"
        assert picture(block["overlay"]).shape == (100, 200, 3)
