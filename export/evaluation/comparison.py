"""The comparison table: every trained network beside the study's figure for it."""

import csv
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from export.data.examples import CHILDREN
from export.evaluation.metrics import Figures
from export.evaluation.report import markdown_table, with_interval
from export.evaluation.reproduction import training_command
from export.evaluation.yardstick import YARDSTICK_SIZE
from export.release.provenance import require_current
from export.training.plan import TrainingPlan, read_plan

BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
_UNKNOWN = "n/a"
_STUDY: Mapping[str, str] = MappingProxyType(
    {
        "vgg16": "0.8631 / 0.7835",
        "resnet50": "0.9064 / 0.8304",
        "inception_resnet_v2": "0.8761 / 0.8061",
        "gradient": "0.9334 / 0.75",
    }
)
_HEAD = (
    "run", "network", "pixels", "parameters", "training", "held-out AUC (95 %) / accuracy",
    "test AUC (95 %) / accuracy", "the study's AUC / accuracy", "ms", "to ResNet50",
)  # fmt: skip
_LINE = 120
_NOTES = (
    "Held-out: children of the training split whom the network has not seen. Test: the public images of the official "
    "test split. Accuracies are at the decision threshold. The study's figures are those of its validation data, the "
    "gradient model's of its test data; on all 624 images of the official test split, the study's published gradient "
    "model gives 0.860 / 0.756. Training: by the clock, whatever else the machine did meanwhile. ms: ONNX Runtime, one "
    "image, one thread, median, models in turn; in the same measurement a plain ResNet50 at {size} pixels takes "
    "{reference_ms:.0f} ms. The gradient model serves its pixel weights alone, and these are what is timed."
)


@dataclass(frozen=True, slots=True)
class Contender:
    """What the table says of a run. Times are None where they are not known, figures where they were not measured."""

    name: str
    plan: TrainingPlan
    parameters: int
    training_seconds: float | None
    held_out: Figures | None
    test: Figures | None
    latency_ms: float | None


def read_contender(run: Path, parameters: int, latency_ms: float | None) -> Contender:
    """Read the facts of a run folder.

    Raises
    ------
    ValueError
        Figures in the folder belong to other files than it holds.
    """
    held_out, test = (_record(run, f"evaluation-{split}.json") for split in ("held_out", "test"))
    seconds = training_seconds(run / "history.csv")
    return Contender(
        run.name, read_plan(run), parameters, seconds, held_out and _of_children(held_out), test, latency_ms
    )


def training_seconds(history: Path) -> float | None:
    """Add up the column `seconds` of a history, epochs that were trained twice counted once; None without one."""
    if not history.is_file():
        return None
    with history.open(newline="") as file:
        epochs = {row["epoch"]: row.get("seconds") for row in csv.DictReader(file)}
    seconds = [float(value) for value in epochs.values() if value not in (None, "", "NA")]
    return sum(seconds) if epochs and len(seconds) == len(epochs) else None


def comparison_table(contenders: Sequence[Contender], reference_ms: float, remarks: Sequence[str] = ()) -> str:
    """Write the table, what its columns mean, and the command lines that make its rows.

    Parameters
    ----------
    contenders
        Of the rows, in their order.
    reference_ms
        Time of the plain ResNet50 in the same measurement, milliseconds.
    remarks
        What to say of these very runs, a paragraph each.
    """
    rows = [_row(contender, reference_ms) for contender in contenders]
    commands = "\n".join(f"    {training_command(each.plan, f'runs/{each.name}')}" for each in contenders)
    notes = (_NOTES.format(size=YARDSTICK_SIZE, reference_ms=reference_ms), *remarks)
    paragraphs = [textwrap.fill(note, _LINE) for note in notes]
    return "\n\n".join([markdown_table(_HEAD, rows, right_from=2), *paragraphs, commands])


def insert_table(text: str, table: str) -> str:
    """Put a table between the markers of a document; an empty document becomes the table.

    Raises
    ------
    ValueError
        The document is not empty and lacks the markers: it would be lost.
    """
    if not text.strip():
        return f"{BEGIN}\n{table}\n{END}\n"
    if BEGIN not in text or END not in text:
        raise ValueError(f"The file must hold {BEGIN} and {END}, or be empty. Received: a file without them")
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}"


def _row(contender: Contender, reference_ms: float) -> tuple[str, ...]:
    plan, latency, seconds = contender.plan, contender.latency_ms, contender.training_seconds
    return (
        contender.name,
        plan.architecture,
        str(plan.image_size),
        f"{contender.parameters / 1e6:.1f} M",
        _UNKNOWN if seconds is None else f"{seconds / 60:.0f} min",
        _figures(contender.held_out),
        _figures(contender.test),
        _STUDY.get(plan.architecture, _UNKNOWN),
        _UNKNOWN if latency is None else f"{latency:.1f}",
        _UNKNOWN if latency is None else f"{latency / reference_ms:.2f}",
    )


def _figures(figures: Figures | None) -> str:
    return _UNKNOWN if figures is None else f"{with_interval(figures)} / {figures['accuracy']:.3f}"


def _record(run: Path, name: str) -> dict[str, Any] | None:
    if not (run / name).is_file():
        return None
    record: dict[str, Any] = json.loads((run / name).read_text())
    require_current(run, record, name)
    return record


def _of_children(record: Mapping[str, Any]) -> Figures:
    """Take the children's part, which the study's figures compare with; records without parts are of children."""
    own: Figures = record.get("subgroups", {}).get("population", {}).get(CHILDREN, record)
    return own
