"""Feature maps: what is asked, what comes back, and what a release must say of them."""

from typing import Any

import numpy as np
import pytest

from api.explain import METHODS
from api.explain.layers import PublishedLayer, published_layers
from api.types import Answer, ExplainOptions, LayersFinding, Question, Subject
from serving.backend import BackendProtocolError

PIXELS, STUDY = np.zeros((30, 40), np.uint8), np.zeros((128, 128), np.uint8)
EARLY = {"layer": "conv1/Relu:0", "output": "features_1", "channels": "features_1_channels", "scale": 2.5}
LATE = {"layer": "conv9/Add:0", "output": "features_2", "channels": "features_2_channels", "scale": 3}
MAPS = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


def subject_with(features: Any) -> Subject:
    return Subject(PIXELS, STUDY, STUDY, None, {"classifier_explain": {"features": features}})


def explain(answer: Answer) -> tuple[Question, LayersFinding]:
    explainer = METHODS["layers"].explain(subject_with([EARLY, LATE]), ExplainOptions(("layers",)))
    question = next(explainer)
    with pytest.raises(StopIteration) as stop:
        explainer.send(answer)
    assert isinstance(stop.value.value, LayersFinding)
    return question, stop.value.value


def answer_with(late: Any = -MAPS, channels: Any = ((9, 3),)) -> dict[str, Any]:
    early = {"features_1": MAPS, "features_1_channels": np.array([[17, 4]], np.float32)}
    return {**early, "features_2": late, "features_2_channels": np.array(channels, np.float32)}


def test_every_layer_is_asked_for_at_once_beside_the_maps() -> None:
    question, _ = explain(answer_with())
    assert question.model == "classifier_explain"
    assert len(question.images) == 1
    assert question.images[0] is PIXELS
    assert question.outputs == ("features_1", "features_2", "features_1_channels", "features_2_channels")
    assert question.may_be_non_finite == {"features_1", "features_2"}


def test_maps_channels_names_and_scales_stay_together() -> None:
    _, finding = explain(answer_with())
    early, late = finding.layers
    assert (early.name, early.channels, early.upper) == ("conv1/Relu:0", (17, 4), 2.5)
    assert (late.name, late.channels, late.upper) == ("conv9/Add:0", (9, 3), 3.0)
    np.testing.assert_array_equal(early.maps, MAPS[0])
    np.testing.assert_array_equal(late.maps, -MAPS[0])
    assert (early.signed, late.signed) == (False, True)
    assert (early.drawable, late.drawable) == (True, True)
    assert finding.region is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_layer_that_is_not_finite_is_not_drawable_and_spoils_no_other(value: float) -> None:
    spoilt = MAPS.copy()
    spoilt[0, 1, 2, 3] = value
    _, finding = explain(answer_with(spoilt))
    assert [layer.drawable for layer in finding.layers] == [True, False]


@pytest.mark.parametrize(
    ("late", "channels"),
    [(MAPS[0], ((1, 2),)), (MAPS, (1, 2)), (MAPS, ((1, 2, 3),)), (MAPS[..., np.newaxis], ((1, 2),))],
    ids=["no batch", "channels without a batch", "other number of channels", "one axis more"],
)
def test_maps_of_another_form_break_the_contract_of_the_model(late: Any, channels: Any) -> None:
    explainer = METHODS["layers"].explain(subject_with([EARLY, LATE]), ExplainOptions(("layers",)))
    next(explainer)
    with pytest.raises(BackendProtocolError, match=r"'features_2' of 'classifier_explain' must be of shape"):
        explainer.send(answer_with(late, channels))


def test_layers_are_read_from_the_release_in_its_order() -> None:
    assert published_layers(subject_with([LATE, EARLY])) == [
        PublishedLayer("conv9/Add:0", "features_2", "features_2_channels", 3.0),
        PublishedLayer("conv1/Relu:0", "features_1", "features_1_channels", 2.5),
    ]


@pytest.mark.parametrize(
    "features",
    [None, [], {}, "features_1", [None], [EARLY, "late"], [EARLY, {}]]
    + [[{**EARLY, "scale": scale}] for scale in (None, 0, -1, "1", True, np.inf, np.nan)]
    + [[LATE, {**EARLY, key: value}] for key in ("layer", "output", "channels") for value in (None, 3, "")]
    + [[{key: value for key, value in EARLY.items() if key != lacking}] for lacking in EARLY],
    ids=repr,
)
def test_layers_that_are_missing_or_incomplete_break_the_contract(features: Any) -> None:
    with pytest.raises(BackendProtocolError, match=r"The release of 'classifier_explain' must hold a list 'features'"):
        published_layers(subject_with(features))


def test_a_release_without_layers_is_refused_before_the_model_is_asked() -> None:
    subject = Subject(PIXELS, STUDY, STUDY, None, {"classifier_explain": {}})
    with pytest.raises(BackendProtocolError):
        next(METHODS["layers"].explain(subject, ExplainOptions(("layers",))))
