"""Fills a model's card with the facts of a release."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import onnx

from export.evaluation.report import detailed_figures
from export.release.contents import ReleaseContents
from export.training.description import describe_augmentation, describe_training
from export.training.plan import TrainingPlan, read_plan

_CARDS = Path(__file__).parent / "model_cards"
_LINE = 118
_AS_IS = ("#", "|", "!", "<!--", "    ")
_STARTS = (*_AS_IS, "- ")
_WEIGHTING = {
    "class": "Images were weighted so that both labels count the same.",
    "style": "Images were weighted so that both labels count the same, and so that neither the processing style of a "
    "child's radiograph nor the view of an adult's tells the label.",
}


def model_card(name: str, version: int, model: bytes, contents: ReleaseContents) -> str:
    """Fill the card of a model.

    Parameters
    ----------
    name
        Of the model; its template is in `model_cards/`.
    version
        Of the release.
    model
        The ONNX file.
    contents
        The release's record, as published in its configuration, and what else the template names.

    Raises
    ------
    FileNotFoundError
        No template exists for this name.
    """
    template = Template((_CARDS / f"{name}.md").read_text())
    facts = {"version": version, "size_mib": f"{len(model) / 2**20:.1f}", "storage": _storage(model)}
    return wrap_markdown(template.substitute({**contents.record, **facts, **contents.card_facts}))


def training_facts(run: Path, record: Mapping[str, Any]) -> Mapping[str, object]:
    """Gather what the card of a classifier or of the gradient model says beside the release's record."""
    plan, band, test = read_plan(run), record["indeterminate_band"], record["evaluation"]["test"]
    return {
        "image_size": plan.image_size,
        "training": describe_training(run),
        "augmentation": describe_augmentation(plan),
        "weighting": _WEIGHTING[plan.balance],
        "band": f"{band[0]:.4f} to {band[1]:.4f}" if band else "none",
        "test_images": test["images"],
        "test_patients": test["patients"],
        "figures": figures_table(record["evaluation"]),
        "details": detailed_figures(record["evaluation"]["held_out"], level=3),
        "comparison": _optional(run / "comparison.md"),
        "gate": _optional(run / "evaluation-gate.md"),
        "calibrated_on": _calibrated_on(plan, record["evaluation"]["held_out"]),
    }


def _optional(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else "Not made for this release."


def _calibrated_on(plan: TrainingPlan, held_out: Mapping[str, Any]) -> str:
    """Say whose answers gave the calibration and the held-out figures."""
    folds = [origin["fold"] for origin in held_out["held_out_runs"]]
    images = f"{held_out['images']:,} images of {held_out['patients']:,} patients"
    if folds == [plan.fold]:
        return f"{images}, one fold of five, that this very network has not seen"
    networks = "a network" if len(folds) == 1 else f"{len(folds)} networks"
    return (
        f"{images}, judged by {networks} trained the same way, for the same fixed number of epochs, with one fold of "
        "five held out; the shipped network is trained on all folds, so they are carried over, not measured on it"
    )


def wrap_markdown(text: str) -> str:
    """Break paragraphs and list items anew at 118 characters; headings, tables and pictures stay as they are."""
    return "\n".join(line for block in _blocks(text) for line in _wrap(block)) + "\n"


def _blocks(text: str) -> Iterator[str]:
    """Join the lines of each paragraph and list item."""
    block = ""
    for line in text.splitlines():
        if block and line and not line.startswith(_STARTS) and not block.startswith(_AS_IS):
            block = f"{block} {line.strip()}"
            continue
        if block:
            yield block
        block = line
        if not line:
            yield ""
    yield block


def _wrap(block: str) -> list[str]:
    if block.startswith(_AS_IS):
        return [block]
    indent = "  " if block.startswith("- ") else ""
    return textwrap.wrap(block, _LINE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def _storage(model: bytes) -> str:
    types = {initializer.data_type for initializer in onnx.load_from_string(model).graph.initializer}
    return (
        "Large kernels are stored as float16" if onnx.TensorProto.FLOAT16 in types else "Weights are stored as float32"
    )


def figures_table(evaluation: Mapping[str, Mapping[str, Any]]) -> str:
    """Make a table of figures, a column for each evaluation: `test`, `held_out` or both."""
    every = [item for split in ("test", "held_out") for item in evaluation.get(split, {}).items()]
    rows = dict.fromkeys(row for row, value in every if _is_figure(value))
    lines = [
        "| figure | " + " | ".join(_column(split, figures) for split, figures in evaluation.items()) + " |",
        "|---|" + "---:|" * len(evaluation),
        *(
            f"| {row} | " + " | ".join(str(figures.get(row, "")) for figures in evaluation.values()) + " |"
            for row in rows
        ),
    ]
    return "\n".join(lines)


def _is_figure(value: object) -> bool:
    """Leave hashes, origins and tables within the record to those who read the record."""
    values = value if isinstance(value, list) else [value]
    return all(isinstance(single, int | float) for single in values)


def _column(split: str, figures: Mapping[str, Any]) -> str:
    if split == "test":
        return "public test images"
    return "held-out patients of the training split" + (", cross-fitted" if "cross_fitted_groups" in figures else "")
