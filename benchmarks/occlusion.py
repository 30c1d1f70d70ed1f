"""What occlusion costs: the whole radiograph and its copies in one request, beside as many single inferences.

``python -m benchmarks.occlusion``: the shipped classifier on the embedded backend, one thread. Every round answers each
number of regions once, right after one single inference for the whole radiograph and each copy, so that a busy machine
slows both alike. Printed are the medians over the rounds in milliseconds, and the median of the rounds' ratios; the
copies are made within the time of the request, and the time of the process is counted, which other work does not
lengthen.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.catalogue import CLASSIFIER, IMAGE, input_size
from api.explain.grid import GRIDS
from api.explain.occlusion import explain_occlusion
from api.imaging.preprocess import to_model_input
from api.rounds import advance
from api.types import ExplainOptions, Fill, OcclusionFinding, Question, Subject
from serving.backend import ModelSpec, Priority
from serving.embedded import EmbeddedBackend

_ROOT = Path(__file__).parents[1]
_RADIOGRAPH = _ROOT / "tests" / "data" / "samples" / "pneumonia-1.jpeg"
_TIMEOUT_S = 600
_FILLS: tuple[Fill, ...] = ("blur", "mean", "black")


def main() -> None:
    """Print one row for each number of regions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repository", type=Path, default=_ROOT / "model_repository")
    parser.add_argument("--fill", choices=_FILLS, default="mean")
    arguments = parser.parse_args()
    asyncio.run(_compare(arguments.repository, arguments.fill, arguments.rounds))


async def _compare(repository: Path, fill: Fill, rounds: int) -> None:
    backend = await EmbeddedBackend.open(repository, threads=1)
    try:
        classifier = next(model for model in await backend.models() if model.name == CLASSIFIER)
        with Image.open(_RADIOGRAPH) as radiograph:
            seen = to_model_input([np.asarray(radiograph.convert("L"))], *input_size(classifier))[0, ..., 0]
        print("regions      copies  one request  single  ratio")
        times: dict[int | None, list[tuple[float, float]]] = {None: [], **{count: [] for count in GRIDS}}
        for number in range(rounds + 1):
            for regions, measured in times.items():
                pair = await _measure(backend, classifier, seen, regions, fill)
                if number:  # the first round warms up
                    measured.append(pair)
        for regions, measured in times.items():
            _print_row(regions, measured)
    finally:
        await backend.close()


async def _measure(
    backend: EmbeddedBackend, classifier: ModelSpec, seen: NDArray[np.uint8], regions: int | None, fill: Fill
) -> tuple[float, float]:
    """Give the milliseconds of one occlusion, and of as many single inferences, one after the other."""

    async def occlude() -> None:
        explainer = explain_occlusion(
            Subject(seen, seen, seen, None, {}), ExplainOptions((), regions=regions, fill=fill)
        )
        question = advance(explainer, None)
        if not isinstance(question, Question):
            raise TypeError(f"Occlusion must ask a question. Received: {type(question).__name__}")
        finding = advance(explainer, {"logits": await _infer(backend, classifier, question.images)})
        if not isinstance(finding, OcclusionFinding):
            raise TypeError(f"Occlusion must ask one question alone. Received: {type(finding).__name__}")

    async def one_by_one() -> None:
        for _ in range((regions or 6) + 1):
            await _infer(backend, classifier, [seen])

    return await _time(occlude), await _time(one_by_one)


async def _infer(
    backend: EmbeddedBackend, classifier: ModelSpec, images: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    batch = np.stack(images)[..., np.newaxis]
    answer = await backend.infer(
        classifier, {IMAGE: batch}, ("logits",), timeout=_TIMEOUT_S, priority=Priority.EXPLANATION
    )
    return np.asarray(answer["logits"], np.float32)


async def _time(work: Callable[[], Awaitable[None]]) -> float:
    start = time.process_time()
    await work()
    return (time.process_time() - start) * 1000


def _print_row(regions: int | None, measured: Sequence[tuple[float, float]]) -> None:
    together, single = (statistics.median(each) for each in zip(*measured, strict=True))
    ratio = statistics.median(one / other for one, other in measured)
    name = "the study's" if regions is None else str(regions)
    print(f"{name:11} {(regions or 6):7}  {together:11.1f}  {single:6.1f}  {ratio:5.2f}")


if __name__ == "__main__":
    main()
