"""Durations of the stages of one request."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = ("decode", "preprocess", "inference", "explain", "render")


class Stopwatch:
    """Adds up wall-clock milliseconds per stage, and in total since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the enclosed block and add it to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] += (time.perf_counter() - started) * 1000

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds per stage and in total, so far."""
        total = (time.perf_counter() - self._started) * 1000
        return {**{name: round(ms, 3) for name, ms in self._stages.items()}, "total": round(total, 3)}
