"""`python -m api` as a user runs it: real sockets, real signals, real memory."""

import io
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from serving.local_triton import LocalTriton, free_ports, start
from tests.api.test_problems import BAD_REQUESTS
from tests.gateway_process import GatewayProcess, gateway_process, wait_until_ok, without_settings
from tests.images import grey

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
ALLOWED_SPIKE_MIB = 300


@pytest.fixture(scope="module")
def gateway(tiny_repository: Path) -> Iterator[GatewayProcess]:
    with gateway_process({"CXR_MODEL_REPOSITORY": str(tiny_repository)}) as running:
        yield running


@pytest.mark.parametrize("case", [case for case in BAD_REQUESTS if case != "empty form"])
def test_bad_requests_over_a_real_socket(gateway: GatewayProcess, case: str) -> None:
    """Above all: a client that sends too much reads its answer and not a broken pipe."""
    request, status, name = BAD_REQUESTS[case]
    answer = httpx.post(f"{gateway.url}/v1/explain", **request, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{name}")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read peak memory")
def test_bad_requests_do_not_spike_the_memory(tiny_repository: Path) -> None:
    with gateway_process({"CXR_MODEL_REPOSITORY": str(tiny_repository)}) as gateway:
        sample = (SAMPLES / "pneumonia-1.jpeg").read_bytes()
        httpx.post(f"{gateway.url}/v1/explain", content=sample, headers={"content-type": "image/jpeg"})
        gateway.forget_peak_memory()
        before = gateway.peak_memory_mib()
        for request, _, _ in BAD_REQUESTS.values():
            httpx.post(f"{gateway.url}/v1/explain", **request, timeout=30)
        assert gateway.peak_memory_mib() - before < ALLOWED_SPIKE_MIB


def test_patient_data_in_an_image_or_a_request_stay_out_of_the_log(
    tiny_repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At the most talkative level: libraries log what they read, EXIF for one."""
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE 1980-01-01"  # ImageDescription
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(grey(200)).save(buffer, "jpeg", exif=exif, comment=b"DOE^JANE")
    settings = {"CXR_MODEL_REPOSITORY": str(tiny_repository), "CXR_LOG_LEVEL": "debug"}
    with gateway_process(settings) as gateway:
        for data in (buffer.getvalue(), buffer.getvalue()[:-60]):
            files = {"image": ("DOE^JANE.jpeg", data, "image/jpeg")}
            httpx.post(f"{gateway.url}/v1/explain", files=files, headers={"X-Patient": "DOE^JANE"}, timeout=20)
        httpx.get(f"{gateway.url}/DOE^JANE?subject=DOE^JANE")
    log = "".join(capfd.readouterr())
    assert log.count("POST /v1/explain") == 2
    assert "DOE" not in log
    assert "1980-01-01" not in log


def test_a_client_that_leaves_during_its_upload_is_no_error(
    tiny_repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with gateway_process({"CXR_MODEL_REPOSITORY": str(tiny_repository)}) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
            )
        assert predict(gateway).status_code == 200
    log = "".join(capfd.readouterr())
    assert "POST /v1/predict 499" in log
    assert "ERROR" not in log
    assert "Traceback" not in log


def test_settings_that_have_no_effect_stop_the_gateway() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "api"],
        env={**without_settings(), "CXR_API_KEYS": "secret-key"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert "CXR_API_KEYS" in result.stderr
    assert "not built yet" in result.stderr
    assert "secret-key" not in result.stderr
    assert "Traceback" not in result.stderr


def test_the_gateway_over_a_real_triton_answers_as_embedded(
    shipped_repository: Path, local_triton: Callable[[Path], LocalTriton]
) -> None:
    """The whole path: file, gateway, gRPC, Triton, explanations; and the same in one process."""
    triton = local_triton(shipped_repository)
    with (
        gateway_process({"CXR_BACKEND": "triton", "CXR_TRITON_URL": triton.grpc_url}) as remote,
        gateway_process({"CXR_MODEL_REPOSITORY": str(shipped_repository)}) as embedded,
    ):
        for path in sorted(SAMPLES.glob("*-1.jpeg")):
            answers = [
                httpx.post(
                    f"{gateway.url}/v1/explain?always=true",
                    content=path.read_bytes(),
                    headers={"content-type": "image/jpeg"},
                    timeout=30,
                ).json()
                for gateway in (remote, embedded)
            ]
            probabilities = [answer["prediction"]["probabilities"]["PNEUMONIA"] for answer in answers]
            assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-5)
            assert answers[0]["explanations"]["silhouette"] == answers[1]["explanations"]["silhouette"]
            heatmaps = [answer["explanations"]["gradient"]["heatmap"]["range"] for answer in answers]
            assert heatmaps[0] == pytest.approx(heatmaps[1], abs=1e-5)


def test_a_triton_that_is_away_is_503_and_the_gateway_recovers_alone(
    tiny_repository: Path, local_triton: Callable[[Path], LocalTriton]
) -> None:
    local_triton(tiny_repository)  # skips, or fails, where no Triton can run
    ports = free_ports()
    settings = {"CXR_BACKEND": "triton", "CXR_TRITON_URL": f"127.0.0.1:{ports.grpc}"}
    with gateway_process(settings, wait_for="/healthz") as gateway:
        away = predict(gateway)
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")
        assert httpx.get(f"{gateway.url}/readyz").status_code == 503
        with start(tiny_repository, ports):
            wait_until_ok(f"{gateway.url}/readyz")
            assert predict(gateway).status_code == 200


def predict(gateway: GatewayProcess) -> httpx.Response:
    sample = (SAMPLES / "pneumonia-1.jpeg").read_bytes()
    return httpx.post(f"{gateway.url}/v1/predict", content=sample, headers={"content-type": "image/jpeg"}, timeout=20)


def test_a_body_announced_as_too_large_is_refused_without_waiting_for_it(gateway: GatewayProcess) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as client:
        client.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 40000000\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CXR_BACKEND": "nope"}, "CXR_BACKEND: Input should be 'embedded' or 'triton'"),
        ({"CXR_BACKEND": "triton"}, "CXR_TRITON_URL must be set with CXR_BACKEND=triton"),
    ],
)
def test_settings_out_of_range_are_told_in_one_line(settings: dict[str, str], message: str) -> None:
    command = [sys.executable, "-m", "api"]
    environment = {**without_settings(), **settings}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("The gateway does not start: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
