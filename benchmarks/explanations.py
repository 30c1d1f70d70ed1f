"""What all explanations cost together: one request for them, beside its model passes one after the other.

``python -m benchmarks.explanations``: the shipped models on the embedded backend, the gateway in this process. Every
round measures one ``/v1/explain?methods=all`` and, right after it, each model pass that it needs alone. Printed are the
medians over the rounds in milliseconds, and the median of the rounds' ratios.
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path

import httpx
import numpy as np

from api.catalogue import IMAGE, input_size
from api.explain.occlusion import HALVES, QUADRANTS
from api.main import create_app
from api.settings import Settings
from serving.backend import ModelSpec, Priority
from serving.embedded import EmbeddedBackend

_ROOT = Path(__file__).parents[1]
_RADIOGRAPH = _ROOT / "tests" / "data" / "samples" / "pneumonia-1.jpeg"
_REPOSITORY = _ROOT / "model_repository"
_HIDDEN_COPIES = len(HALVES) + len(QUADRANTS)
# The prediction and the input gate; then what the methods ask, each model once.
_PASSES = (
    ("classifier", 1),
    ("lung_segmenter", 1),
    ("pixel_importance", 1),
    ("classifier_explain", 1),
    ("classifier", 1 + _HIDDEN_COPIES),
)


def main() -> None:
    """Print one request, the sum of its passes, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    asyncio.run(_compare(parser.parse_args().rounds))


async def _compare(rounds: int) -> None:
    app = create_app(Settings(model_repository=_REPOSITORY))
    backend = await EmbeddedBackend.open(_REPOSITORY)
    models = {model.name: model for model in await backend.models()}
    transport = httpx.ASGITransport(app)
    measured = []
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client,
    ):
        for _ in range(rounds + 1):
            request = await _request(client)
            measured.append((request, sum([await _pass(backend, models[name], count) for name, count in _PASSES])))
    await backend.close()
    requests, passes = zip(*measured[1:], strict=True)  # the first round warms up
    ratio = statistics.median(request / alone for request, alone in zip(requests, passes, strict=True))
    print(f"one request {statistics.median(requests):.0f} ms, its model passes {statistics.median(passes):.0f} ms")
    print(f"ratio {ratio:.2f}")


async def _request(client: httpx.AsyncClient) -> float:
    started = time.perf_counter()
    answer = await client.post("/v1/explain?methods=all", files={"image": _RADIOGRAPH.read_bytes()})
    answer.raise_for_status()
    return (time.perf_counter() - started) * 1000


async def _pass(backend: EmbeddedBackend, model: ModelSpec, count: int) -> float:
    images = np.random.default_rng(0).integers(0, 256, (count, *input_size(model), 1), dtype=np.uint8)
    outputs = [output.name for output in model.outputs]
    started = time.perf_counter()
    await backend.infer(model, {IMAGE: images}, outputs, timeout=60, priority=Priority.EXPLANATION)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
