"""How long an answer takes in ONNX Runtime: one image, one thread, models in turn."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np
import onnxruntime

_WARM_UP, _ROUNDS = 3, 25


def median_latencies(models: Mapping[str, bytes], rounds: int = _ROUNDS) -> dict[str, float]:
    """Measure models beside each other, so that what slows the machine down slows them all.

    Parameters
    ----------
    models
        ONNX files by name; each takes `image`, uint8 ``[n, h, w, 1]``.
    rounds
        How often each model answers; the models take turns.

    Returns
    -------
    The median time of one answer to one image, milliseconds.
    """
    sessions = {name: _open(model) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(_WARM_UP + rounds):
        for name, session in sessions.items():
            seconds = _time_once(session)
            if turn >= _WARM_UP:
                times[name].append(seconds)
    return {name: float(np.median(seconds)) * 1e3 for name, seconds in times.items()}


def _open(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _time_once(session: onnxruntime.InferenceSession) -> float:
    height, width = session.get_inputs()[0].shape[1:3]
    image = np.full((1, height, width, 1), 128, dtype=np.uint8)
    start = perf_counter()
    session.run(None, {"image": image})
    return perf_counter() - start
