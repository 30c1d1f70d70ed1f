"""`agreement`, `affected_region` and `trust` through the gateway, on the tiny repository: its maps are counted by hand.

Its lungs are the middle quarter of the frame: rows and columns 32 to 95 of 128.
"""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.settings import Settings
from serving.backend import Priority
from serving.embedded import EmbeddedBackend
from tests import tiny_repository as tiny
from tests.api.conftest import running_gateway
from tests.api.test_maps import Opener, blocky, recording
from tests.api.test_quality_gate import older
from tests.images import encode, grey

PNG = {"content-type": "image/png"}
BLOCKS = ("assessment", "agreement", "affected_region", "trust")


async def explain(client: httpx.AsyncClient, pixels: NDArray[np.uint8], **query: Any) -> dict[str, Any]:
    answer = await client.post("/v1/explain", content=encode(pixels), headers=PNG, params=query)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def spotted(row: int, column: int) -> NDArray[np.uint8]:
    """A bright image with one block of 16 x 16 pixels that is nearly white."""
    image = grey(140, 128, 128)
    image[row * 16 : (row + 1) * 16, column * 16 : (column + 1) * 16] = 250
    return image


async def test_predictions_carry_none_of_it_and_normal_answers_null(client: httpx.AsyncClient) -> None:
    predicted = await client.post("/v1/predict", content=encode(grey(200)), headers=PNG)
    assert predicted.json().keys().isdisjoint(BLOCKS)
    normal = await explain(client, grey(20), trust="full")
    assert normal["prediction"]["label"] == "NORMAL"
    assert (normal["agreement"], normal["affected_region"], normal["trust"]) == (None, None, None)


async def test_normal_explained_all_the_same_is_assessed_too(client: httpx.AsyncClient) -> None:
    answer = await explain(client, grey(20), always="true", methods="grad_cam,gradient")
    assert answer["trust"]["methods"]["grad_cam"]["flags"] == ["constant"]
    assert answer["agreement"] is None


async def test_two_methods_that_agree_outline_their_region(client: httpx.AsyncClient) -> None:
    """The hot block is rows 64 to 79 and columns 32 to 47: in the lungs, on the left, across the middle third's end."""
    wide = np.kron(spotted(4, 2), np.ones((2, 4), np.uint8))
    answer = await explain(client, wide, methods="grad_cam,grad_cam_plus_plus", overlay_size=256)
    assert answer["agreement"]["contradicting"] == []
    region = answer["affected_region"]
    both = ["grad_cam", "grad_cam_plus_plus"]
    assert (region["reason"], region["side"], region["methods"]) == (None, "image_left", both)
    assert region["zone"] == ["middle", "lower"] or region["zone"] == ["middle"]
    xs, ys = np.array(region["polygon"]).T
    assert region["polygon"][0] == region["polygon"][-1]
    assert len(region["polygon"]) <= 100
    # The block's middle, in pixels of the image as sent, four times as wide and twice as high.
    assert xs.min() < 4 * 40 < xs.max() and ys.min() < 2 * 72 < ys.max()
    box = region["bounding_box"]
    assert box["x"] == pytest.approx(4 * 32, abs=4)
    assert (box["x"] + box["width"], box["y"]) == (pytest.approx(xs.max(), abs=4), pytest.approx(ys.min(), abs=2))
    area = abs(xs[:-1] @ ys[1:] - xs[1:] @ ys[:-1]) / 2
    assert region["area_percent_of_lungs"] == pytest.approx(100 * area / (256 * 128), rel=0.03)
    picture = Image.open(io.BytesIO(base64.b64decode(region["overlay"]["data"])))
    assert picture.size == (region["overlay"]["width"], region["overlay"]["height"]) == (256, 128)
    light = (np.asarray(picture) == (80, 220, 255)).all(axis=-1)
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    assert [columns[0] * 2, columns[-1] * 2] == pytest.approx([xs.min(), xs.max()], abs=6)
    assert [rows[0] * 2, rows[-1] * 2] == pytest.approx([ys.min(), ys.max()], abs=6)


async def test_two_methods_that_contradict_each_other_are_told(client: httpx.AsyncClient) -> None:
    """The whiter half is the left one, and in it the upper; the dominant pixels are those of the block in the right."""
    image = grey(110, 128, 128)
    image[40:60, :64] = 200
    image[80:96, 70:90] = 255
    answer = await explain(client, image)
    (pair,) = answer["agreement"]["pairs"]
    ramp = image / 255 * tiny.importance_weights()
    shown = (ramp - ramp.min()) / (ramp.max() - ramp.min()) >= 0.7
    box = np.zeros((128, 128), bool)
    box[:64, :64] = True
    shared = (box & shown).sum()
    assert pair["methods"] == ["silhouette", "gradient"]
    assert (
        pair["overlap"] == answer["agreement"]["score"] == pytest.approx(shared / min(box.sum(), shown.sum()), abs=0.02)
    )
    assert pair["jaccard"] == pytest.approx(shared / (box | shown).sum(), abs=0.02)
    assert answer["agreement"]["contradicting"] == [{"methods": ["silhouette", "gradient"], "in": ["side", "zone"]}]
    assert "contradicting" in answer["trust"]["flags"]
    assert "silhouette and gradient about the side and the height in the lungs" in answer["trust"]["text"]
    assert answer["affected_region"]["reason"] == "too few methods"


async def test_lung_energy_is_counted_in_the_segmenters_mask(client: httpx.AsyncClient) -> None:
    answer = await explain(client, blocky(), methods="saliency,silhouette")
    saliency = np.abs(tiny.saliency_of(blocky()[np.newaxis, ..., np.newaxis])[0])
    expected = saliency[32:96, 32:96].sum() / saliency.sum()
    trust = answer["trust"]["methods"]
    assert trust["saliency"]["lung_energy"] == pytest.approx(expected, rel=0.01)
    assert trust["silhouette"]["lung_energy"] == pytest.approx(0.25)
    alone = (await explain(client, blocky(), methods="silhouette"))["trust"]
    assert alone["methods"]["silhouette"]["flags"] == alone["flags"] == ["independent_of_classifier"]
    assert [trust["saliency"][name] for name in ("stability", "deletion", "insertion")] == [None, None, None]


async def test_what_failed_randomisation_is_read_from_the_release(open_with: Opener) -> None:
    backend = recording(release={"fails_randomisation": ["saliency"]})
    async with running_gateway(Settings(), open_with(backend)) as client:
        trust = (await explain(client, blocky(), methods="saliency,grad_cam"))["trust"]
    assert "fails_randomisation" in trust["methods"]["saliency"]["flags"]
    assert "fails_randomisation" not in trust["methods"]["grad_cam"]["flags"]


class Counting(EmbeddedBackend):
    """Notes how many images each model is asked about at once."""

    calls: list[tuple[str, int, Priority]]

    async def infer(
        self, model: Any, inputs: Any, outputs: Any, *, priority: Priority = Priority.PREDICTION, **further: Any
    ) -> Any:
        self.calls.append((model.name, len(inputs["image"]), priority))
        return await super().infer(model, inputs, outputs, priority=priority, **further)


def counting() -> type[Counting]:
    return type("Backend", (Counting,), {"calls": []})


async def test_full_trust_costs_one_inference_of_each_model_and_one_batch_of_each_method(open_with: Opener) -> None:
    """Quick: one of each. Full: each model again on the moved image, and 16 copies for each of five methods."""
    backend = counting()
    methods = "silhouette,gradient,saliency,grad_cam,grad_cam_plus_plus"
    async with running_gateway(Settings(), open_with(backend)) as client:
        quick = await explain(client, blocky(), methods=methods)
        asked = sorted(call[:2] for call in backend.calls)
        judged = [("classifier", 1), ("lung_segmenter", 1)]
        assert asked == sorted([*judged, ("classifier_explain", 1), ("pixel_importance", 1)])
        backend.calls.clear()
        full = await explain(client, blocky(), methods=methods, trust="full")
    asked = sorted(call[:2] for call in backend.calls)
    assert asked == sorted(
        [*judged, *2 * [("classifier_explain", 1), ("pixel_importance", 1)], *5 * [("classifier", 16)]]
    )
    assert {priority for *_, priority in backend.calls[2:]} == {Priority.EXPLANATION}
    assert full["prediction"] == quick["prediction"]
    for method, judged_quick in quick["trust"]["methods"].items():
        judged_full = full["trust"]["methods"][method]
        assert judged_full["lung_energy"] == judged_quick["lung_energy"]
        assert -1 <= judged_full["stability"] <= 1
        assert 0 < judged_full["deletion"] < 1 and 0 < judged_full["insertion"] < 1


async def test_occlusion_is_asked_again_as_a_whole(open_with: Opener) -> None:
    backend = counting()
    async with running_gateway(Settings(), open_with(backend)) as client:
        await explain(client, blocky(), methods="occlusion", regions=4, trust="full")
    asked = sorted(call[:2] for call in backend.calls)
    assert asked == [("classifier", 1), ("classifier", 5), ("classifier", 5), ("classifier", 16), ("lung_segmenter", 1)]


async def test_a_map_that_moves_with_the_image_is_stable_and_deletion_follows_the_mean_grey(
    client: httpx.AsyncClient,
) -> None:
    """The classifier's log-odds are the mean grey: a blurred block hardly changes them, so both scores are alike."""
    image = spotted(4, 2)
    answer = await explain(client, image, methods="grad_cam", trust="full")
    judged = answer["trust"]["methods"]["grad_cam"]
    assert judged["stability"] > 0.95
    probability = answer["prediction"]["probabilities"]["PNEUMONIA"]
    assert judged["deletion"] == pytest.approx(probability, abs=0.03)
    assert judged["insertion"] == pytest.approx(probability, abs=0.03)


async def test_a_map_with_values_that_are_no_numbers_is_flagged_and_not_tested(open_with: Opener) -> None:
    image = blocky()
    image[:16, :16] = 255  # the first block is white: the CAMs of the tiny model fail
    backend = counting()
    async with running_gateway(Settings(), open_with(backend)) as client:
        answer = await explain(client, image, methods="grad_cam", trust="full")
    assert answer["trust"]["methods"]["grad_cam"] == {
        "lung_energy": None, "stability": None, "deletion": None, "insertion": None, "flags": ["non_finite"],
    }  # fmt: skip
    assert answer["affected_region"]["reason"] == "too few methods"
    assert {value for name, value in answer["affected_region"].items() if name != "reason"} == {None}
    assert sorted(call[:2] for call in backend.calls) == [
        ("classifier", 1), ("classifier_explain", 1), ("lung_segmenter", 1),
    ]  # fmt: skip


async def test_without_a_segmenter_the_lungs_are_unknown(open_with: Opener) -> None:
    """The gate has to be off: it needs the segmenter."""
    backend = recording(lacking=("lung_segmenter",))
    async with running_gateway(Settings(quality_gate="off"), open_with(backend)) as client:
        answer = await explain(client, blocky())
    assert answer["affected_region"]["reason"] == "lungs unknown"
    assert {judged["lung_energy"] for judged in answer["trust"]["methods"].values()} == {None}
    assert answer["agreement"]["contradicting"] == []
    assert "Where the lungs are is unknown" in answer["trust"]["text"]


async def test_the_segmenter_is_asked_for_explanations_even_if_there_is_no_gate(open_with: Opener) -> None:
    """A classifier without the gate's outputs, and the gate off: the lungs are still those of the segmenter."""
    backend: type[Counting] = type("Backend", (Counting, older(evidence=False)), {"calls": []})
    async with running_gateway(Settings(quality_gate="off"), open_with(backend)) as client:
        answer = await explain(client, blocky(), methods="silhouette,grad_cam,grad_cam_plus_plus")
        asked = [name for name, *_ in backend.calls]
        backend.calls.clear()
        await client.post("/v1/predict", content=encode(blocky()), headers=PNG)
    assert asked.count("lung_segmenter") == 1
    assert [name for name, *_ in backend.calls] == ["classifier"]
    assert answer["quality"] is None
    assert answer["trust"]["methods"]["silhouette"]["lung_energy"] == pytest.approx(0.25)
    assert answer["affected_region"]["reason"] != "lungs unknown"


async def test_what_the_gate_warns_of_is_told_before_all_other_doubts(client: httpx.AsyncClient) -> None:
    """Left less right shows a rotated chest, by the tiny model's rule."""
    image = grey(60, 128, 128)
    image[:, :64] = 240
    answer = await explain(client, image, methods="grad_cam,saliency")
    assert answer["quality"]["warnings"] == ["rotated"]
    assert "Trust this little: the image seems to be rotated; " in answer["trust"]["text"]
    assert "the patient's" not in answer["trust"]["text"]


async def test_the_text_names_the_answer_that_it_explains(client: httpx.AsyncClient) -> None:
    normal = await explain(client, grey(20), always="true", methods="grad_cam,gradient")
    assert normal["trust"]["text"].startswith("The model says NORMAL; the pictures show what spoke for pneumonia")
    positive = await explain(client, blocky(), methods="grad_cam")
    assert positive["trust"]["text"].startswith("The model says PNEUMONIA. ")
