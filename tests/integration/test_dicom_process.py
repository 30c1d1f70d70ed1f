"""DICOM files that are damaged or hostile, sent to a gateway in a process of its own: its memory, its log, its life."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from tests.dicom.elements import LEVELS
from tests.dicom.files import Storage, by_dcmtk, ids_in, patient_data_in, radiograph_file
from tests.dicom.hostile import COSTLY, HOSTILE
from tests.dicom.malformed import COMPRESSED, MALFORMED
from tests.dicom.tolerated import TOLERATED
from tests.gateway_process import GatewayProcess, gateway_process
from tests.hostile_jpeg import COSTLY_JPEG, HOSTILE_JPEG

DICOM = {"content-type": "application/dicom"}
ALLOWED_SPIKE_MIB = 300
ALLOWED_SECONDS = 5
DAMAGED_COPIES = 150


@pytest.fixture(scope="module")
def gateway(tiny_repository: Path) -> Iterator[GatewayProcess]:
    with gateway_process({"CXR_MODEL_REPOSITORY": str(tiny_repository), "CXR_LOG_LEVEL": "debug"}) as running:
        assert predict(running, radiograph_file(LEVELS)).status_code == 200
        yield running


def predict(gateway: GatewayProcess, file: bytes, media_type: str = "application/dicom") -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/predict", content=file, headers={"content-type": media_type}, timeout=60)


def predict_within_bounds(
    gateway: GatewayProcess, file: bytes, media_type: str = "application/dicom"
) -> httpx.Response:
    gateway.forget_peak_memory()
    before, started = gateway.peak_memory_mib(), time.perf_counter()
    answer = predict(gateway, file, media_type)
    assert time.perf_counter() - started < ALLOWED_SECONDS
    assert gateway.peak_memory_mib() - before < ALLOWED_SPIKE_MIB
    return answer


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read peak memory")
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_soon_and_in_bounded_memory(gateway: GatewayProcess, case: str) -> None:
    answer = predict_within_bounds(gateway, HOSTILE[case].make())
    status, name = HOSTILE[case].answer
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{name}")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read peak memory")
@pytest.mark.parametrize("case", HOSTILE_JPEG)
def test_a_hostile_jpeg_is_refused_soon_and_in_bounded_memory(gateway: GatewayProcess, case: str) -> None:
    answer = predict_within_bounds(gateway, HOSTILE_JPEG[case](), "image/jpeg")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/undecodable-image")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read peak memory")
@pytest.mark.parametrize("case", [*COSTLY, *COSTLY_JPEG])
def test_a_costly_file_within_the_limits_is_read_soon_and_in_bounded_memory(gateway: GatewayProcess, case: str) -> None:
    make, media_type = (COSTLY[case], "application/dicom") if case in COSTLY else (COSTLY_JPEG[case], "image/jpeg")
    answer = predict_within_bounds(gateway, make(), media_type)
    assert answer.status_code == 200, answer.text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read peak memory")
def test_malformed_files_do_not_spike_the_memory(gateway: GatewayProcess) -> None:
    gateway.forget_peak_memory()
    before = gateway.peak_memory_mib()
    for malformed in MALFORMED.values():
        predict(gateway, malformed.make())
    assert gateway.peak_memory_mib() - before < ALLOWED_SPIKE_MIB


def test_the_patient_of_a_file_stays_out_of_the_log(tiny_repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At the most talkative level, with what libraries log and warn of, in every form of answer; and none is a 500."""
    settings = {"CXR_MODEL_REPOSITORY": str(tiny_repository), "CXR_LOG_LEVEL": "debug"}
    files = [radiograph_file(LEVELS), *(make() for make in TOLERATED.values())]
    with gateway_process(settings) as gateway, httpx.Client(base_url=gateway.url, headers=DICOM, timeout=60) as client:
        for accept in ("application/json", "application/fhir+json", 'multipart/related; type="application/dicom"'):
            for file in (*files, *(malformed.make() for malformed in MALFORMED.values())):
                assert client.post("/v1/predict", content=file, headers={"accept": accept}).status_code < 500
    log = "".join(capfd.readouterr())
    assert log.count("POST /v1/predict") == 3 * (len(files) + len(MALFORMED))
    assert patient_data_in(log) == []
    assert ids_in(log) == []


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, *COMPRESSED],
    ids=lambda syntax: syntax.name,
)
def test_a_damaged_file_never_makes_the_gateway_fail(gateway: GatewayProcess, syntax: UID) -> None:
    check_damaged(gateway, radiograph_file(LEVELS, Storage(8), syntax=syntax))


@pytest.mark.parametrize("process", ["+e1", "+el", "+ee"], ids=["lossless, first predictor", "lossless", "extended"])
def test_a_damaged_jpeg_of_dcmtk_never_makes_the_gateway_fail(gateway: GatewayProcess, process: str) -> None:
    check_damaged(gateway, by_dcmtk(radiograph_file(LEVELS, Storage(12)), "dcmcjpeg", process))


def check_damaged(gateway: GatewayProcess, file: bytes) -> None:
    """Send copies of a file, each with a few bytes of another value."""
    random = np.random.default_rng(len(file))
    with httpx.Client(base_url=gateway.url, headers=DICOM, timeout=60) as client:
        for _ in range(DAMAGED_COPIES):
            copy = np.frombuffer(file, np.uint8).copy()
            copy[random.integers(132, len(copy), 4)] = random.integers(0, 256, 4)
            answer = client.post("/v1/predict", content=copy.tobytes())
            assert answer.status_code in (200, 413, 415, 422), answer.text
