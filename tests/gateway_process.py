"""A real gateway in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from serving.local_triton import free_ports

READY_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """`seconds_to_ready` counts from the start of the process to the first 200 of the path waited for."""

    url: str
    pid: int
    seconds_to_ready: float

    def forget_peak_memory(self) -> None:
        """Let the peak be what is resident now (Linux): loading the models would hide a later spike."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_memory_mib(self) -> float:
        """Give the largest resident memory since the start, or since it was forgotten (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def gateway_process(
    settings: Mapping[str, str] | None = None, *, wait_for: str = "/readyz"
) -> Iterator[GatewayProcess]:
    """Run `python -m api` on a free port until the block ends."""
    port = free_ports().http
    environment = {**without_settings(), **(settings or {}), "CXR_PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ok(url + wait_for, process)
        yield GatewayProcess(url, process.pid, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(timeout=20)


def without_settings() -> dict[str, str]:
    """Give this process's environment without the gateway's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CXR_")}


def wait_until_ok(url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ask until the answer is 200."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"The gateway ended at start with status {process.returncode}")
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer 200 within {READY_TIMEOUT_S} s")
