"""DICOM objects through the API, on the tiny repository: ways to send one, and what its tags come to."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage

from api.settings import Settings
from tests import tiny_repository as tiny
from tests.api.conftest import running_gateway
from tests.api.test_problems import check_problem
from tests.dicom.files import Storage, coded, ids_in, patient_data_in, radiograph_file
from tests.images import grey

pytestmark = pytest.mark.asyncio(loop_scope="module")

DICOM = {"content-type": "application/dicom"}
LEVEL = 140
LEVELS = grey(LEVEL)


def lateral_view() -> Any:
    code = codes.cid4010.LeftLateral
    return coded(code.value, code.scheme_designator, code.meaning)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "lateral by View Position": ({"ViewPosition": "LL"}, "unsupported-view", "lateral"),
    "lateral by View Code Sequence": ({"ViewCodeSequence": [lateral_view()]}, "unsupported-view", "lateral"),
    "lateral by Patient Orientation": ({"PatientOrientation": ["A", "F"]}, "unsupported-view", "lateral"),
    "a decubitus view": ({"ViewPosition": "LLD"}, "unsupported-view", "lateral"),
    "another body part": ({"BodyPartExamined": "KNEE"}, "unsupported-view", "other_body_part"),
    "a CT image": ({"Modality": "CT", "SOPClassUID": CTImageStorage}, "not-a-chest-radiograph", "not_a_radiograph"),
}
WARNED: dict[str, tuple[dict[str, Any], str]] = {
    "no modality": ({"Modality": None}, "modality_unknown"),
    "no body part": ({"BodyPartExamined": None, "AnatomicRegionSequence": None}, "body_part_unknown"),
    "no view": ({"ViewPosition": None, "ViewCodeSequence": None}, "view_unknown"),
    "an empty view": ({"ViewPosition": "", "ViewCodeSequence": []}, "view_unknown"),
    "a mirrored frame": ({"PatientOrientation": ["R", "F"]}, "mirrored"),
    "a turned frame": ({"PatientOrientation": ["F", "R"]}, "rotated"),
    "writing in the pixels": ({"BurnedInAnnotation": "YES"}, "burned_in_annotation"),
    "not made for viewing": ({"PresentationIntentType": "FOR PROCESSING"}, "for_processing"),
}
SILENT: dict[str, dict[str, Any]] = {
    "as it is": {},
    "view by its position alone": {"ViewCodeSequence": None},
    "view by its code alone": {"ViewPosition": None},
    "body part by its name alone": {"AnatomicRegionSequence": None},
    "body part by its code alone": {"BodyPartExamined": None},
    "no orientation": {"PatientOrientation": None},
    "an empty orientation": {"PatientOrientation": ""},
    "no annotation": {"BurnedInAnnotation": None},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tiny_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=tiny_repository)) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lenient(tiny_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=tiny_repository, quality_gate="off")) as client:
        yield client


async def predict(client: httpx.AsyncClient, file: bytes) -> httpx.Response:
    return await client.post("/v1/predict", content=file, headers=DICOM)


@pytest.mark.parametrize("modality", ["DX", "CR"])
async def test_the_answer_follows_the_grey_levels_of_the_object(gateway: httpx.AsyncClient, modality: Any) -> None:
    answer = (await predict(gateway, radiograph_file(LEVELS, Storage(12), modality=modality))).json()
    expected = tiny.probabilities_of(np.full((1, 128, 128, 1), LEVEL, np.uint8))[0, 1]
    assert answer["input"] == {"format": "dicom", "width": 200, "height": 150, "bit_depth": 12}
    assert answer["prediction"]["probabilities"]["PNEUMONIA"] == pytest.approx(expected, abs=1e-5)
    assert answer["quality"]["warnings"] == []


@pytest.mark.parametrize(
    "request_",
    [
        lambda file: {"files": {"image": ("any name", file, "application/dicom")}},
        lambda file: {"files": {"image": ("any name.dcm", file, "application/octet-stream")}},
        lambda file: {"content": file, "headers": DICOM},
        lambda file: {"content": file, "headers": {"content-type": "application/dicom; transfer-syntax=1.2.840.1"}},
        lambda file: {"content": file, "headers": {"content-type": "application/octet-stream"}},
        lambda file: {"content": file, "headers": {"content-type": "image/png"}},
        lambda file: {"content": file},
    ],
    ids=["form", "undeclared in a form", "bare", "with a parameter", "undeclared", "as PNG", "without a type"],
)
async def test_an_object_is_known_by_its_content_however_it_is_sent(gateway: httpx.AsyncClient, request_: Any) -> None:
    answer = await gateway.post("/v1/predict", **request_(radiograph_file(LEVELS, Storage(12))))
    assert answer.status_code == 200, answer.text
    assert answer.json()["input"]["format"] == "dicom"


@pytest.mark.parametrize("case", REFUSED)
async def test_tags_that_plainly_speak_against_the_image_refuse_it(gateway: httpx.AsyncClient, case: str) -> None:
    attributes, name, _ = REFUSED[case]
    answer = await predict(gateway, radiograph_file(LEVELS, **attributes))
    check_problem(answer, 422, name, "/v1/predict")
    assert patient_data_in(answer.text) == []


@pytest.mark.parametrize("case", REFUSED)
async def test_with_the_gate_off_these_tags_are_warnings(lenient: httpx.AsyncClient, case: str) -> None:
    attributes, _, warning = REFUSED[case]
    answer = await predict(lenient, radiograph_file(LEVELS, **attributes))
    assert answer.status_code == 200, answer.text
    assert answer.json()["quality"]["warnings"] == [warning]


@pytest.mark.parametrize("case", WARNED)
async def test_tags_that_are_missing_or_unusual_are_warnings(gateway: httpx.AsyncClient, case: str) -> None:
    attributes, warning = WARNED[case]
    answer = await predict(gateway, radiograph_file(LEVELS, **attributes))
    assert answer.status_code == 200, answer.text
    assert answer.json()["quality"]["warnings"] == [warning]


@pytest.mark.parametrize("case", SILENT)
async def test_one_tag_that_says_it_is_enough(gateway: httpx.AsyncClient, case: str) -> None:
    answer = await predict(gateway, radiograph_file(LEVELS, **SILENT[case]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["quality"]["warnings"] == []


async def test_tags_and_pixels_are_warned_of_together(gateway: httpx.AsyncClient) -> None:
    levels = tiny.pattern("left_less_right", 0.4)  # which the tiny model takes for a rotated chest
    answer = await predict(gateway, radiograph_file(levels, ViewPosition=None, ViewCodeSequence=None))
    assert answer.json()["quality"]["warnings"] == ["rotated", "view_unknown"]


async def test_an_answer_and_the_log_tell_nothing_of_the_patient(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await gateway.post("/v1/explain?methods=all&always=true", content=radiograph_file(LEVELS))
    assert answer.status_code == 200
    for text in (json.dumps(answer.json()), str(answer.headers), caplog.text):
        assert patient_data_in(text) == []
        assert ids_in(text) == []
