"""A real Triton on a small repository whose answers numpy can compute."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray

from serving import local_triton
from serving import local_triton_environment as environment
from serving.local_triton import LocalTriton, LocalTritonFailed, LocalTritonUnavailable, free_ports, start
from serving.repository import RepositoryError
from tests.conftest import missing

GRAPH = """
<ir_version: 10, opset_import: ["": 18]>
toy (uint8[n, 8, 8, 1] image) => (float[n, 1] mean, float[n, 8, 8, 1] doubled)
<float two = {2.0}, int64[2] axes = {1, 2}> {
    grey = Cast <to = 1> (image)
    mean = ReduceMean <keepdims = 0> (grey, axes)
    doubled = Mul (grey, two)
}"""

# The queue delay lets concurrent requests meet in one batch.
CONFIG = """
name: "toy"
backend: "onnxruntime"
max_batch_size: 64
input { name: "image" data_type: TYPE_UINT8 dims: [8, 8, 1] }
output { name: "mean" data_type: TYPE_FP32 dims: [1] label_filename: "labels.txt" }
output { name: "doubled" data_type: TYPE_FP32 dims: [8, 8, 1] }
instance_group { kind: KIND_GPU gpus: [0] count: 1 }
dynamic_batching {
  max_queue_delay_microseconds: 50000
  priority_levels: 2
  default_priority_level: 1
  default_queue_policy { timeout_action: REJECT default_timeout_microseconds: 30000000 max_queue_size: 256 }
}
model_warmup {
  name: "one"
  batch_size: 1
  inputs { key: "image" value { data_type: TYPE_UINT8 dims: [8, 8, 1] zero_data: true } }
}
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "release" value { string_value: "{\\"3\\": {\\"architecture\\": \\"toy \\\\u00e9\\"}}" } }
"""


def build(folder: Path) -> Path:
    version = folder / "toy" / "3"
    version.mkdir(parents=True)
    onnx.save(onnx.parser.parse_model(GRAPH), version / "model.onnx")
    (folder / "toy" / "config.pbtxt").write_text(CONFIG)
    (folder / "toy" / "labels.txt").write_text("the mean\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _available() -> None:
    try:
        environment.ensure_environment()
    except LocalTritonUnavailable as error:
        missing(f"A local Triton must be available. Received: {error}")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return build(tmp_path / "models")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _available: None) -> Iterator[LocalTriton]:
    with start(build(tmp_path_factory.mktemp("toy") / "models"), free_ports()) as running:
        yield running


@pytest.fixture
def client(server: LocalTriton) -> Iterator[Any]:
    with triton.InferenceServerClient(server.grpc_url) as connected:
        yield connected


def ask(client: Any, images: NDArray[np.uint8], outputs: tuple[str, ...]) -> Any:
    tensor = triton.InferInput("image", images.shape, "UINT8")
    tensor.set_data_from_numpy(images)
    return client.infer("toy", [tensor], outputs=[triton.InferRequestedOutput(name) for name in outputs])


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 5, 64])
def test_answers_what_the_onnx_file_computes(client: Any, count: int) -> None:
    sent = images(count)
    answer = ask(client, sent, ("mean", "doubled"))
    np.testing.assert_allclose(answer.as_numpy("mean"), sent.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(answer.as_numpy("doubled"), sent * np.float32(2))


def test_every_request_of_a_dynamic_batch_gets_its_own_answer(client: Any) -> None:
    sent = [images(1 + seed % 3, seed) for seed in range(24)]
    outputs = [("mean",) if seed % 2 else ("doubled", "mean") for seed in range(24)]
    before = executions(client)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda request: ask(client, *request), zip(sent, outputs, strict=True)))
    assert executions(client) - before < len(sent), "no two requests met in a batch"
    for request, names, answer in zip(sent, outputs, answers, strict=True):
        np.testing.assert_allclose(answer.as_numpy("mean"), request.mean(axis=(1, 2)), rtol=1e-6)
        assert ("doubled" in names) == (answer.as_numpy("doubled") is not None)
        if "doubled" in names:
            np.testing.assert_array_equal(answer.as_numpy("doubled"), request * np.float32(2))


def executions(client: Any) -> int:
    return int(client.get_inference_statistics("toy").model_stats[0].execution_count)


def test_serves_the_version_of_the_folder(client: Any) -> None:
    assert client.is_model_ready("toy", "3")
    assert not client.is_model_ready("toy", "1")


def test_keeps_the_configuration(client: Any) -> None:
    config = client.get_model_config("toy").config
    assert json.loads(config.parameters["release"].string_value) == {"3": {"architecture": "toy é"}}
    assert config.max_batch_size == 64
    assert config.dynamic_batching.priority_levels == 2
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 256
    assert [warmup.name for warmup in config.model_warmup] == ["one"]


def test_keeps_the_labels(client: Any) -> None:
    tensor = triton.InferInput("image", (1, 8, 8, 1), "UINT8")
    tensor.set_data_from_numpy(images(1))
    answer = client.infer("toy", [tensor], outputs=[triton.InferRequestedOutput("mean", class_count=1)])
    assert answer.as_numpy("mean")[0, 0].decode().endswith(":the mean")


def test_stop_leaves_no_process_and_no_file(repository: Path) -> None:
    server = start(repository, free_ports())
    folder, group = server.log.parent, members(server.pid)
    assert server.pid in group
    assert len(group) >= 2, "a server and the stub process of its model"
    server.stop()
    server.stop()
    assert not members(server.pid)
    assert not folder.exists()
    assert not list(Path("/dev/shm").glob(f"{folder.name}*"))


def test_stop_ends_the_stubs_of_a_killed_server(repository: Path) -> None:
    with start(repository, free_ports()) as server:
        os.kill(server.pid, signal.SIGKILL)
    assert not members(server.pid)
    assert not list(Path("/dev/shm").glob(f"{server.log.parent.name}*"))


def members(group: int) -> set[int]:
    """List the living processes of a group."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field, the name, may hold spaces; it ends with the last parenthesis.
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(process_group) == group and state != "Z":
            found.add(int(stat.parent.name))
    return found


def test_ends_with_its_parent(repository: Path) -> None:
    process, pid = run_in_the_foreground(repository)
    assert members(pid)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while members(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not members(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_cleanly(repository: Path, number: signal.Signals) -> None:
    process, pid = run_in_the_foreground(repository)
    try:
        process.send_signal(number)
        assert process.communicate(timeout=30)[1] == ""
        assert process.returncode == 0
        assert not members(pid)
    finally:
        process.kill()
        process.wait()


def test_the_command_tells_that_the_server_ended(repository: Path) -> None:
    process, pid = run_in_the_foreground(repository)
    os.kill(pid, signal.SIGKILL)
    assert "ended with code -9" in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def run_in_the_foreground(repository: Path) -> tuple["subprocess.Popen[str]", int]:
    """Start the server by its command; return the command's process, and the server's number once it is ready."""
    ports = astuple(free_ports())
    options = [f"--{name}-port={port}" for name, port in zip(("http", "grpc", "metrics"), ports, strict=True)]
    command = [sys.executable, "-m", "serving", "triton", f"--repository={repository}", *options]
    # A killed parent cannot remove its temporary folder.
    variables = os.environ | {"TMPDIR": str(repository.parent)}
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(5)]
    assert printed[0].split() == ["gRPC", f"127.0.0.1:{ports[1]}"]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, int(children[0])


def test_a_broken_model_is_named(repository: Path) -> None:
    (repository / "toy" / "3" / "model.onnx").write_bytes(b"not an ONNX file")
    with pytest.raises(LocalTritonFailed, match=r"failed to load 'toy' version 3.*INVALID_PROTOBUF"):
        start(repository, free_ports())


def test_an_output_that_the_onnx_file_lacks_is_named(repository: Path) -> None:
    file = repository / "toy" / "config.pbtxt"
    file.write_text(file.read_text().replace('"doubled"', '"tripled"'))
    with pytest.raises(LocalTritonFailed, match=r"failed to load 'toy'.*tripled"):
        start(repository, free_ports())


def test_a_configuration_that_does_not_parse_is_named(repository: Path) -> None:
    (repository / "toy" / "config.pbtxt").write_text("name: 3")
    with pytest.raises(RepositoryError, match=r"toy/config\.pbtxt"):
        start(repository, free_ports())


def test_a_port_in_use_is_refused(repository: Path, server: LocalTriton) -> None:
    taken = int(server.grpc_url.rpartition(":")[2])
    ports = free_ports()
    with pytest.raises(LocalTritonFailed, match=f"Received: {taken}"):
        start(repository, local_triton.TritonPorts(ports.http, taken, ports.metrics))


def test_a_server_that_is_not_ready_in_time_is_stopped(repository: Path) -> None:
    with pytest.raises(LocalTritonFailed, match=r"not ready after 0 s"):
        start(repository, free_ports(), ready_timeout=0)


def test_an_interrupted_installation_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[Path] = []

    def create(root: Path) -> None:
        root.mkdir()
        attempts.append(root)
        if len(attempts) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_create", create)
    monkeypatch.setattr(environment, "_install_stub", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        environment.ensure_environment(tmp_path / "triton")
    for _ in range(2):
        environment.ensure_environment(tmp_path / "triton")
    assert len(attempts) == 2


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        ("system", "Darwin", "Linux x86_64. Received: Darwin"),
        ("machine", "aarch64", "Linux x86_64. Received: Linux aarch64"),
        ("libc_ver", ("glibc", "2.31"), "glibc >= 2.35. Received: glibc 2.31"),
        ("libc_ver", ("", ""), "glibc >= 2.35. Received"),
    ],
)
def test_a_platform_that_cannot_run_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, function: str, value: Any, message: str
) -> None:
    monkeypatch.setattr(platform, function, lambda: value)
    with pytest.raises(LocalTritonUnavailable, match=re.escape(message)):
        environment.ensure_environment()


def test_a_failed_installation_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("this is no requirement\n")
    monkeypatch.setattr(environment, "REQUIREMENTS", pins)
    with pytest.raises(LocalTritonUnavailable, match=r"Invalid requirement"):
        environment.ensure_environment(tmp_path / "triton")
