"""DICOM files that cannot be read get the documented answer, which tells nothing of the patient."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from api.settings import Settings
from tests.api.conftest import running_gateway
from tests.api.test_problems import check_problem
from tests.dicom.elements import LEVELS
from tests.dicom.files import Storage, ids_in, patient_data_in, radiograph_file
from tests.dicom.malformed import COMPRESSED, MALFORMED
from tests.dicom.tolerated import TOLERATED, with_text

pytestmark = pytest.mark.asyncio(loop_scope="module")

DICOM = {"content-type": "application/dicom"}
RELATED = 'multipart/related; type="application/dicom"'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tiny_repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_gateway(Settings(model_repository=tiny_repository)) as client:
        yield client


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_file_gets_its_documented_answer(
    gateway: httpx.AsyncClient, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await gateway.post("/v1/explain", content=MALFORMED[case].make(), headers=DICOM)
    check_problem(answer, *MALFORMED[case].answer, "/v1/explain")
    for text in (answer.text, caplog.text):
        assert patient_data_in(text) == []
        assert ids_in(text) == []


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, *COMPRESSED],
    ids=lambda syntax: syntax.name,
)
async def test_a_truncated_file_is_refused_wherever_it_is_cut(gateway: httpx.AsyncClient, syntax: UID) -> None:
    file = radiograph_file(LEVELS, Storage(8), syntax=syntax)
    cuts = [*range(1, len(file) - 20, 97), len(file) - 20]
    answers = {cut: await gateway.post("/v1/predict", content=file[:cut], headers=DICOM) for cut in cuts}
    assert all(answers[cut].status_code == 415 for cut in cuts if cut < 132)
    assert {cut: answers[cut].status_code for cut in cuts if cut >= 132 and answers[cut].status_code != 422} == {}
    assert [patient_data_in(answer.text) for answer in answers.values() if patient_data_in(answer.text)] == []


@pytest.mark.parametrize(
    "accept", ["application/json", "application/fhir+json", RELATED], ids=["JSON", "FHIR", "DICOM"]
)
@pytest.mark.parametrize("case", TOLERATED)
async def test_what_has_no_bearing_on_the_pixels_is_tolerated(
    gateway: httpx.AsyncClient, case: str, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In every form of answer: what is odd must do no harm where it is copied, either."""
    headers = {**DICOM, "accept": accept}
    with caplog.at_level(logging.DEBUG):
        answer = await gateway.post("/v1/predict", content=TOLERATED[case](), headers=headers)
    assert answer.status_code == 200, answer.text
    assert patient_data_in(caplog.text) == []
    if accept == "application/json":
        sound = (await gateway.post("/v1/predict", content=radiograph_file(LEVELS), headers=DICOM)).json()
        assert answer.json()["prediction"] == sound["prediction"]
    if accept != RELATED:
        assert patient_data_in(answer.text) == []


@pytest.mark.parametrize(
    "make",
    [
        with_text(0x000D, "UI", b"DOE^JANE", group=0x0020),
        lambda: radiograph_file(LEVELS, StudyInstanceUID=None),
        lambda: radiograph_file(LEVELS, StudyInstanceUID=""),
    ],
    ids=["in words", "missing", "empty"],
)
async def test_without_the_identifier_of_its_study_no_dicom_object_can_answer(
    gateway: httpx.AsyncClient, make: Callable[[], bytes]
) -> None:
    assert (await gateway.post("/v1/predict", content=make(), headers=DICOM)).status_code == 200
    answer = await gateway.post("/v1/predict", content=make(), headers={**DICOM, "accept": RELATED})
    check_problem(answer, 406, "not-acceptable", "/v1/predict")
    assert patient_data_in(answer.text) == []
