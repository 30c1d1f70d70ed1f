"""A real Triton server on this machine, without a container, for integration tests and development.

The server is the binary of the wheel `nvidia-pytriton`, which has the Python backend but not ONNX Runtime's. So the
model repository is mirrored: same configuration, but each version is a small `model.py` that runs the original
ONNX file in ONNX Runtime. Production runs the repository as it is.

LocalTritonError
├── LocalTritonUnavailable    this machine cannot run it
└── LocalTritonFailed         the server did not become ready
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from serving.local_triton_environment import (
    LocalTritonError,
    LocalTritonUnavailable,
    TritonEnvironment,
    ensure_environment,
)
from serving.local_triton_mirror import mirror
from serving.repository import RepositoryError

__all__ = [
    "LocalTriton",
    "LocalTritonError",
    "LocalTritonFailed",
    "LocalTritonUnavailable",
    "TritonPorts",
    "free_ports",
    "serve",
    "start",
]

ADDRESS = "127.0.0.1"
# Triton gives requests in flight this long when it is told to stop; past the second number it is killed.
EXIT_TIMEOUT_S = 5
KILL_TIMEOUT_S = 15
# Run by a Python that then becomes the server: asks the kernel (PR_SET_PDEATHSIG = 1) to end it with the thread that
# started it. Not preexec_fn, which is unsafe in a process with threads.
LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit("The parent is gone.")
os.execv(sys.argv[2], sys.argv[2:])
"""


class LocalTritonFailed(LocalTritonError):
    """The server ended or was not ready in time; the message has what its log said."""


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """Ports on loopback that a server listens on."""

    http: int
    grpc: int
    metrics: int


class LocalTriton:
    """A running server; `start` makes it."""

    def __init__(self, process: subprocess.Popen[bytes], ports: TritonPorts, log: Path, cleanup: ExitStack) -> None:
        """Take over a ready server and what is to be undone when it stops."""
        self.pid = process.pid
        self.log = log
        self.grpc_url = f"{ADDRESS}:{ports.grpc}"
        self.http_url = f"http://{ADDRESS}:{ports.http}"
        self.metrics_url = f"http://{ADDRESS}:{ports.metrics}/metrics"
        self._process = process
        self._cleanup = cleanup

    def wait(self) -> int:
        """Wait until the server ends by itself; return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End the server and its stub processes, and remove the mirror and the log. Idempotent."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the server."""
        self.stop()


def free_ports() -> TritonPorts:
    """Find three ports on loopback that nothing listens on at the moment."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server((ADDRESS, 0))) for _ in range(3)]
        return TritonPorts(*(listener.getsockname()[1] for listener in listeners))


def start(repository: Path, ports: TritonPorts, *, ready_timeout: float = 120) -> LocalTriton:
    """Start a server on a model repository and wait until every model is ready.

    The first call installs it. The server ends with the thread that calls this, so start it from a thread that lives
    as long as the server is wanted.

    Parameters
    ----------
    repository
        A Triton model repository of ONNX models, each with a complete `config.pbtxt`.
    ports
        Where to listen, on loopback only.
    ready_timeout
        Seconds to wait, not counting the installation.

    Raises
    ------
    LocalTritonUnavailable
        This machine cannot run it.
    serving.repository.RepositoryError
        There is no model, or a `config.pbtxt` cannot be read.
    LocalTritonFailed
        A port is taken, a model does not load, or the server is not ready in time.
    """
    environment = ensure_environment()
    _require_free(ports)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cxr-triton-")))
        mirror(repository, folder / "models")
        stack.callback(_remove_shared_memory, folder.name)
        process = _launch(environment, folder, ports)
        stack.callback(_terminate, process)
        _wait_until_ready(process, ports.http, _log(folder), ready_timeout)
        return LocalTriton(process, ports, _log(folder), stack.pop_all())


def serve(repository: Path, ports: TritonPorts) -> int:
    """Run a server in the foreground until Ctrl-C or SIGTERM.

    Returns
    -------
    The process's exit code: 0 when it was told to stop, 1 when the server could not start or ended by itself.
    """
    try:
        with _signals_as_interrupt(), start(repository, ports) as server:
            _announce(server)
            raise LocalTritonFailed(f"Triton ended with code {server.wait()}.\n{_complaints(server.log)}")
    except KeyboardInterrupt:
        return 0
    except (LocalTritonError, RepositoryError) as error:
        print(error, file=sys.stderr)
        return 1


def _announce(server: LocalTriton) -> None:
    print(f"gRPC     {server.grpc_url}")
    print(f"HTTP     {server.http_url}")
    print(f"metrics  {server.metrics_url}")
    print(f"log      {server.log}")
    print("Ctrl-C stops it.", flush=True)


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    # SIGINT too: a shell script's `&` has it ignored, and children inherit that.
    previous = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _log(folder: Path) -> Path:
    return folder / "triton.log"


def _require_free(ports: TritonPorts) -> None:
    """Refuse ports in use, lest another Triton's answer be taken for ours."""
    for port in astuple(ports):
        try:
            socket.create_server((ADDRESS, port)).close()
        except OSError as error:
            raise LocalTritonFailed(f"Port must be free on {ADDRESS}. Received: {port}, {error.strerror}") from error


def _launch(environment: TritonEnvironment, folder: Path, ports: TritonPorts) -> subprocess.Popen[bytes]:
    server = (str(environment.executable), *_arguments(environment.backends, folder, ports))
    with _log(folder).open("wb") as log:
        return subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *server),
            env=environment.variables,
            # The stub looks for modules in the working directory first.
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that Ctrl-C reaches us alone and stubs that stay behind can be found.
            start_new_session=True,
        )


def _arguments(backends: Path, folder: Path, ports: TritonPorts) -> tuple[str, ...]:
    return (
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name={folder.name}",
        "--model-control-mode=none",
        # Completing would start every model twice, and production's configuration is complete.
        "--disable-auto-complete-config",
        "--strict-readiness=true",
        "--exit-on-error=true",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        f"--http-address={ADDRESS}",
        f"--http-port={ports.http}",
        f"--grpc-address={ADDRESS}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-address={ADDRESS}",
        f"--metrics-port={ports.metrics}",
    )


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not _is_ready(port):
        if process.poll() is not None:
            raise LocalTritonFailed(f"Triton ended with code {process.returncode}.\n{_complaints(log)}")
        if time.monotonic() > deadline:
            raise LocalTritonFailed(f"Triton was not ready after {timeout:g} s.\n{_complaints(log)}")
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    with closing(HTTPConnection(ADDRESS, port, timeout=5)) as connection, suppress(OSError, HTTPException):
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    return False


def _complaints(log: Path, lines: int = 30) -> str:
    """Return the end of the log without information and tables, which would bury the errors."""
    text = log.read_text(errors="replace").splitlines()
    return "\n".join([line for line in text if line and line[0] not in "I+|"][-lines:])


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _end_group(process.pid)


def _end_group(group: int) -> None:
    """Kill stub processes that outlived the server, and wait until they are gone."""
    deadline = time.monotonic() + 5
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.02)


def _remove_shared_memory(prefix: str) -> None:
    """Remove what a killed server leaves of the memory that it shares with its stubs."""
    for path in Path("/dev/shm").glob(f"{prefix}*"):
        path.unlink(missing_ok=True)
