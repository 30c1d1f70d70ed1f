"""The way of a radiograph from a PACS through the gateway and back, with a real Orthanc and a real gateway."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import (
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)

from tests.dicom.files import PATIENT_DATA, coded, radiograph_file
from tests.gateway_front import GatewayFront
from tests.gateway_process import gateway_process
from tests.orthanc_process import (
    MULTIPART,
    STABLE_AGE_S,
    OrthancProcess,
    multipart,
    orthanc_process,
    parts,
    program,
    write_configuration,
)

SAMPLE = Path(__file__).parents[1] / "data" / "samples" / "pneumonia-1.jpeg"
FAILURES, FEW = 5, 3  # of radiograph_queue.lua
SLOW_S = 3  # LONGEST_ROUND_S of explain_studies.lua
QUIET_S = 3 * STABLE_AGE_S
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A radiograph as a scanner sends it, in a study of its own."""

    file: bytes
    study: str
    instance: str


@pytest.fixture(scope="module")
def gateway_url(shipped_repository: Path) -> Iterator[str]:
    program()  # before the gateway starts in vain
    with gateway_process({"CXR_MODEL_REPOSITORY": str(shipped_repository)}) as gateway:
        yield gateway.url


@pytest.fixture(scope="module")
def front(gateway_url: str) -> Iterator[GatewayFront]:
    front = GatewayFront(gateway_url)
    with front.listening():
        yield front


@pytest.fixture(scope="module")
def orthanc(front: GatewayFront, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    with orthanc_process(tmp_path_factory.mktemp("orthanc"), front.url) as running:
        yield running


def new_radiograph(study: str | None = None, **attributes: Any) -> Sent:
    number = next(_numbers)
    study, instance = study or f"2.25.4711{number:04}1", f"2.25.4711{number:04}3"
    uids: dict[str, Any] = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}2",
        "SOPInstanceUID": instance,
    }
    with Image.open(SAMPLE) as image:
        levels = np.asarray(image.convert("L"))
    return Sent(radiograph_file(levels, **uids, **attributes), study, instance)


def outcome(orthanc: OrthancProcess, sent: Sent) -> str | None:
    return orthanc.note(sent.instance).get("outcome")


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def explained(front: GatewayFront, orthanc: OrthancProcess, sent: Sent) -> int:
    """Count how often the gateway was asked about a radiograph."""
    return front.explained.count(orthanc.identifier(sent.instance))


def let_studies_come_until(
    orthanc: OrthancProcess, condition: Callable[[], bool], *, of: Callable[[], Sent] | None = None
) -> None:
    """Orthanc before 1.11.1 has no heart beat: its scripts look at what is unfinished when any study becomes stable."""
    for _ in range(40):
        if condition():
            return
        orthanc.store((of or radiograph_of_a_hand)().file)
        time.sleep(STABLE_AGE_S)
    assert condition()


def let_another_study_become_stable(orthanc: OrthancProcess) -> None:
    other = radiograph_of_a_hand()
    orthanc.store(other.file)
    wait_until(lambda: outcome(orthanc, other) == "not sent")


def radiograph_of_a_hand() -> Sent:
    return new_radiograph(BodyPartExamined="HAND", AnatomicRegionSequence=[coded("85562004", "SCT", "Hand")])


@pytest.fixture(scope="module")
def answered(orthanc: OrthancProcess) -> Sent:
    sent = new_radiograph()
    orthanc.store(sent.file)
    wait_until(lambda: outcome(orthanc, sent) == "answered")
    return sent


def test_the_answer_appears_in_the_study_of_the_radiograph(orthanc: OrthancProcess, answered: Sent) -> None:
    classes = sorted(set(orthanc.instances(answered.study).values()))
    assert classes == sorted(
        [DigitalXRayImageStorageForPresentation, SecondaryCaptureImageStorage, Comprehensive3DSRStorage]
    )
    for answer in answers(orthanc, answered):
        assert answer.StudyInstanceUID == answered.study
        assert answer.PatientID == pydicom.dcmread(DicomBytesIO(answered.file)).PatientID
        assert answered.instance in referenced(answer)


def answers(orthanc: OrthancProcess, sent: Sent) -> list[Dataset]:
    return [pydicom.dcmread(DicomBytesIO(file)) for file in orthanc.files(sent.study) - {sent.file}]


def referenced(answer: Dataset) -> set[str]:
    """Return what is referred to anywhere in an object."""
    return {str(element.value) for element in answer.iterall() if element.keyword == "ReferencedSOPInstanceUID"}


def test_the_study_holds_the_radiograph_as_sent_and_what_the_gateway_answers(
    orthanc: OrthancProcess, gateway_url: str, answered: Sent
) -> None:
    headers = {"Accept": MULTIPART, "Content-Type": "application/dicom"}
    asked = httpx.post(f"{gateway_url}/v1/explain", content=answered.file, headers=headers, timeout=30)
    expected = parts(asked.raise_for_status())
    assert len(expected) >= 3, "a report and the captures of two methods"
    assert orthanc.files(answered.study) == {answered.file, *expected}
    assert len(orthanc.note(answered.instance)["results"]) == len(expected)


def test_neither_answers_nor_a_second_sending_ask_the_gateway_again(
    orthanc: OrthancProcess, front: GatewayFront, answered: Sent
) -> None:
    before = orthanc.instances(answered.study)
    asked = list(front.explained)
    orthanc.store(answered.file)
    let_another_study_become_stable(orthanc)
    time.sleep(QUIET_S)
    assert explained(front, orthanc, answered) == 1
    assert front.explained == asked, "about nothing else either"
    assert orthanc.instances(answered.study) == before


def test_a_radiograph_sent_again_after_its_study_was_deleted_gets_the_same_objects(orthanc: OrthancProcess) -> None:
    sent = new_radiograph()
    orthanc.store(sent.file)
    wait_until(lambda: outcome(orthanc, sent) == "answered")
    before = orthanc.files(sent.study)
    orthanc.rest.delete(f"studies/{orthanc.identifier(sent.study)}").raise_for_status()
    orthanc.store(sent.file)
    wait_until(lambda: outcome(orthanc, sent) == "answered")
    assert orthanc.files(sent.study) == before


def test_a_view_that_its_tags_call_lateral_is_not_sent(orthanc: OrthancProcess, front: GatewayFront) -> None:
    sent = new_radiograph(ViewPosition="LL")
    orthanc.store(sent.file)
    wait_until(lambda: outcome(orthanc, sent) == "not sent")
    assert explained(front, orthanc, sent) == 0
    assert set(orthanc.instances(sent.study)) == {sent.instance}


def test_what_the_gateway_refuses_while_it_answers_others_is_given_up_after_a_few_attempts(
    orthanc: OrthancProcess, front: GatewayFront
) -> None:
    """A lateral view that only its code tells, which Orthanc's scripts do not read."""
    lateral = coded("399198007", "SCT", "right lateral")
    lateral.ViewModifierCodeSequence = []
    sent = new_radiograph(ViewPosition=None, ViewCodeSequence=[lateral])
    orthanc.store(sent.file)
    let_studies_come_until(orthanc, lambda: outcome(orthanc, sent) == "given up", of=new_radiograph)
    asked = explained(front, orthanc, sent)
    let_another_study_become_stable(orthanc)
    assert explained(front, orthanc, sent) == asked >= FAILURES
    assert set(orthanc.instances(sent.study)) == {sent.instance}


def test_nothing_is_given_up_where_all_radiographs_fail(orthanc: OrthancProcess, front: GatewayFront) -> None:
    """As with a misspelt parameter in GATEWAY_QUERY, or an overload."""
    everything = [new_radiograph() for _ in range(FEW + 1)]
    with refusing(front, httpx.Response(422)):
        for sent in everything:
            orthanc.store(sent.file)
        let_studies_come_until(orthanc, lambda: most_asked(front, orthanc, everything) >= FAILURES)
        assert outcomes(orthanc, everything) == {None}
    assert orthanc.log.read_text().count("no radiograph is answered") == 1
    let_studies_come_until(orthanc, lambda: outcomes(orthanc, everything) == {"answered"})


def test_a_radiograph_that_fails_alone_is_not_given_up_before_another_is_answered(
    gateway_url: str, tmp_path: Path
) -> None:
    front = GatewayFront(gateway_url, refusal=httpx.Response(422))
    sent = new_radiograph()
    with front.listening(), orthanc_process(tmp_path, front.url) as orthanc:
        orthanc.store(sent.file)
        let_studies_come_until(orthanc, lambda: explained(front, orthanc, sent) >= FAILURES)
        assert outcome(orthanc, sent) is None


def most_asked(front: GatewayFront, orthanc: OrthancProcess, everything: list[Sent]) -> int:
    return max(explained(front, orthanc, sent) for sent in everything)


def outcomes(orthanc: OrthancProcess, everything: list[Sent]) -> set[str | None]:
    return {outcome(orthanc, sent) for sent in everything}


@contextmanager
def refusing(front: GatewayFront, refusal: httpx.Response) -> Iterator[None]:
    front.refusal = refusal
    try:
        yield
    finally:
        front.refusal = None


def test_orthanc_answers_between_the_radiographs_of_a_study_that_takes_long(
    orthanc: OrthancProcess, front: GatewayFront
) -> None:
    """Nobody reads a note while a script runs, so that all would be answered if the study were done at once."""
    first = new_radiograph()
    everything = [first, new_radiograph(first.study), new_radiograph(first.study)]
    with slow(front):
        for sent in everything:
            orthanc.store(sent.file)
        wait_until(lambda: outcomes(orthanc, everything) != {None})
        assert None in outcomes(orthanc, everything)
        wait_until(lambda: outcomes(orthanc, everything) == {"answered"}, seconds=30)


@contextmanager
def slow(front: GatewayFront) -> Iterator[None]:
    front.delay_s = SLOW_S
    try:
        yield
    finally:
        front.delay_s = 0


def test_an_answer_that_belongs_to_another_study_is_not_kept(orthanc: OrthancProcess, front: GatewayFront) -> None:
    sent, stray = new_radiograph(), new_radiograph()
    with answering(front, httpx.Response(200, content=multipart(stray.file))):
        orthanc.store(sent.file)
        wait_until(lambda: "is an answer in another study: removed" in orthanc.log.read_text())
        wait_until(lambda: orthanc.instances(stray.study) == {})
        assert set(orthanc.instances(sent.study)) == {sent.instance}
    let_studies_come_until(orthanc, lambda: outcome(orthanc, sent) == "answered")


def test_a_gateway_without_models_is_asked_again(orthanc: OrthancProcess, front: GatewayFront) -> None:
    with answering(front, httpx.Response(503)):
        sent = sent_in_vain(orthanc)
    let_studies_come_until(orthanc, lambda: outcome(orthanc, sent) == "answered")


@contextmanager
def answering(front: GatewayFront, instead: httpx.Response) -> Iterator[None]:
    front.instead = instead
    try:
        yield
    finally:
        front.instead = None


def test_a_gateway_that_was_away_is_asked_after_a_restart_of_orthanc(gateway_url: str, tmp_path: Path) -> None:
    front = GatewayFront(gateway_url)
    with orthanc_process(tmp_path, front.url) as orthanc:
        sent = sent_in_vain(orthanc)
    with front.listening(), orthanc_process(tmp_path, front.url) as orthanc:
        let_studies_come_until(orthanc, lambda: outcome(orthanc, sent) == "answered")


def sent_in_vain(orthanc: OrthancProcess) -> Sent:
    sent = new_radiograph()
    orthanc.store(sent.file)
    away = f"the gateway is away; instance {orthanc.identifier(sent.instance)} waits"
    wait_until(lambda: away in orthanc.log.read_text())
    assert outcome(orthanc, sent) is None
    return sent


def test_the_log_of_orthanc_holds_no_patient_data(orthanc: OrthancProcess, answered: Sent) -> None:
    log = orthanc.log.read_text()
    assert f"instance {orthanc.identifier(answered.instance)} answered" in log
    assert [text for text in PATIENT_DATA if text in log] == []


def test_nobody_gets_in_without_the_password(orthanc: OrthancProcess) -> None:
    for path in ("system", "dicom-web/studies"):
        assert httpx.get(orthanc.rest.base_url.join(path)).status_code == 401


def test_orthanc_does_not_start_with_an_empty_password(tmp_path: Path) -> None:
    ended = subprocess.run(
        [program(), write_configuration(tmp_path)],
        env={"ORTHANC_STORAGE": str(tmp_path / "storage")},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode != 0
    assert "ORTHANC_PASSWORD must be set" in ended.stderr
