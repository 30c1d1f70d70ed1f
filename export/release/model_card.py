"""Fills a model's card with the facts of a release."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import onnx

from export.networks.starting_weights import describe_starting_weights
from export.training.train import TrainingPlan

_CARDS = Path(__file__).parent / "model_cards"
_LINE = 118
_AS_IS = ("#", "|", "!")
_STARTS = (*_AS_IS, "- ")
_NO_FIGURES = frozenset({"sha256", "held_out_run"})
_AUGMENTATION = (
    "rotation, shift, zoom, stretch, contrast, brightness, gamma; no flips, because the heart is on one side"
)


def model_card(name: str, version: int, plan: TrainingPlan, model: bytes, record: Mapping[str, Any]) -> str:
    """Fill the card of a model.

    Parameters
    ----------
    name
        Of the model; its template is in `model_cards/`.
    version
        Of the release.
    plan
        How the network was trained.
    model
        The ONNX file.
    record
        The release's record, as published in its configuration.

    Raises
    ------
    FileNotFoundError
        No template exists for this name.
    """
    template = Template((_CARDS / f"{name}.md").read_text())
    band, test = record["indeterminate_band"], record["evaluation"]["test"]
    return wrap_markdown(
        template.substitute(
            record,
            version=version,
            size_mib=f"{len(model) / 2**20:.1f}",
            storage=_storage(model),
            image_size=plan.image_size,
            epochs=plan.epochs,
            starting_weights=describe_starting_weights(plan.init),
            augmentation=_AUGMENTATION if plan.augmentation else "none",
            band=f"{band[0]:.4f} to {band[1]:.4f}" if band else "none",
            test_images=test["images"],
            test_patients=test["patients"],
            figures=_figures_table(record["evaluation"]),
        )
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


def _figures_table(evaluation: Mapping[str, Mapping[str, Any]]) -> str:
    every = [row for split in ("test", "held_out") for row in evaluation[split]]
    rows = dict.fromkeys(row for row in every if row not in _NO_FIGURES)
    lines = [
        "| figure | " + " | ".join(_column(split, figures) for split, figures in evaluation.items()) + " |",
        "|---|" + "---:|" * len(evaluation),
        *(
            f"| {row} | " + " | ".join(str(figures.get(row, "")) for figures in evaluation.values()) + " |"
            for row in rows
        ),
    ]
    return "\n".join(lines)


def _column(split: str, figures: Mapping[str, Any]) -> str:
    if split == "test":
        return "public test images"
    return "held-out patients of the training split" + (", cross-fitted" if "cross_fitted_groups" in figures else "")
