"""How fast the gateway starts, and what it costs beside decoding, preprocessing and inference.

``python -m benchmarks.gateway``: embedded backend, shipped models, a sample radiograph, one client on loopback.
"""

import statistics
import time
from pathlib import Path

import httpx

from tests.gateway_process import GatewayProcess, gateway_process

SAMPLE = Path(__file__).parents[1] / "tests" / "data" / "samples" / "pneumonia-1.jpeg"
_QUIET = {"CXR_LOG_LEVEL": "warning"}
STARTS, WARM_UP, REQUESTS = 5, 20, 200


def main() -> None:
    """Print all figures."""
    starts = [_seconds_to_ready() for _ in range(STARTS)]
    print(f"ready after start of `python -m api`: median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s")
    with gateway_process(_QUIET) as gateway:
        for path in ("/v1/predict", "/v1/explain"):
            _print_requests(path, gateway)
        print(f"peak memory of the gateway: {gateway.peak_memory_mib():.0f} MiB")


def _seconds_to_ready() -> float:
    with gateway_process(_QUIET) as gateway:
        return gateway.seconds_to_ready


def _print_requests(path: str, gateway: GatewayProcess) -> None:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        measured = [_measure(client, path) for _ in range(WARM_UP + REQUESTS)][WARM_UP:]
    for name, values in zip(("whole request", "beside its stages"), zip(*measured, strict=True), strict=True):
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"{path}, {name}: median {statistics.median(values):.2f} ms, 95th percentile {p95:.2f} ms")


def _measure(client: httpx.Client, path: str) -> tuple[float, float]:
    """Milliseconds of a request as the client sees it, and what of it no stage accounts for."""
    started = time.perf_counter()
    answer = client.post(path, content=SAMPLE.read_bytes(), headers={"content-type": "image/jpeg"})
    whole = (time.perf_counter() - started) * 1000
    timings = answer.raise_for_status().json()["timings_ms"]
    return whole, whole - sum(ms for stage, ms in timings.items() if stage != "total")


if __name__ == "__main__":
    main()
