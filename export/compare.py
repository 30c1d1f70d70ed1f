"""The step that compares runs: the table of networks, and the time that each takes to answer."""

from collections.abc import Sequence
from pathlib import Path

import keras

from export.evaluation.calibration import PlattScaling
from export.evaluation.comparison import comparison_table, insert_table, read_contender
from export.evaluation.latency import median_latencies
from export.evaluation.yardstick import convert_yardstick
from export.release.conversion import convert_classifier, convert_pixel_importance
from export.steps import is_gradient_model, prepare_for_inference

_YARDSTICK = "/"  # no name of a run folder


def compare_runs(runs: Sequence[Path], out: Path, notes: Sequence[str] = ()) -> None:
    """Write the comparison table of several runs into a Markdown file, between its markers where it has them.

    Parameters
    ----------
    runs
        Run folders, one for each row.
    out
        The Markdown file.
    notes
        What to say under the table of these very runs, a paragraph each.

    Raises
    ------
    ValueError
        Two runs have the same folder name, or figures in a run folder belong to other files than it holds.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ValueError(f"Each run folder must have its own name. Received: {names}")
    parameters, models = {}, {_YARDSTICK: convert_yardstick()}
    for run in runs:
        network = prepare_for_inference(run)
        parameters[run.name], models[run.name] = network.count_params(), _model_to_time(run, network)
        keras.backend.clear_session()
    times = median_latencies(models)
    contenders = [read_contender(run, parameters[run.name], times[run.name]) for run in runs]
    text = out.read_text() if out.is_file() else ""
    out.write_text(insert_table(text, comparison_table(contenders, times[_YARDSTICK], notes)))


def _model_to_time(run: Path, network: keras.Model) -> bytes:
    """Take the converted file; convert a network that has none."""
    if (run / "model.onnx").is_file():
        return (run / "model.onnx").read_bytes()
    return convert_pixel_importance(network).SerializeToString() if is_gradient_model(run) else _as_classifier(network)


def _as_classifier(network: keras.Model) -> bytes:
    return convert_classifier(network, PlattScaling(1.0, 0.0)).SerializeToString()
