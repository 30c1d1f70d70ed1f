"""What a run folder tells of its data: how much was trained on, and which images the network has not seen."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.data.examples import Example, fold_group, read_split
from export.data.nih import read_nih
from export.training.plan import read_plan

_HELD_OUT = "held_out.csv"


def describe_data(training: Sequence[Example], held_out: Sequence[Example]) -> dict[str, Any]:
    """Count what a network is trained on, and give the size of the files: one size, or the smallest and the largest."""
    sizes = sorted({_size_of(example.path) for example in training})
    return {
        "images": len(training),
        "patients": len({example.patient for example in training}),
        "pneumonia_images": sum(example.target for example in training),
        "held_out_images": len(held_out),
        "populations": {
            population: _count(training, population)
            for population in dict.fromkeys(example.population for example in training)
        },
        "file_sizes": [f"{width} x {height}" for width, height in dict.fromkeys((sizes[0], sizes[-1]))],
    }


def _count(examples: Sequence[Example], population: str) -> dict[str, int]:
    members = [example for example in examples if example.population == population]
    return {"images": len(members), "patients": len({example.patient for example in members})}


def write_held_out(run: Path, examples: Sequence[Example], log_odds: NDArray[np.float64]) -> None:
    """Write the images that a network has not seen, with its log-odds of PNEUMONIA, shape ``[n]``."""
    with (run / _HELD_OUT).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "target", "log_odds"])
        writer.writerows(
            [example.path.name, example.target, f"{score:.6f}"]
            for example, score in zip(examples, log_odds, strict=True)
        )


def read_held_out(run: Path, data: Path) -> list[Example]:
    """Find the images that a run has not seen, by its own record: how folds are made may have changed since.

    Raises
    ------
    ValueError
        The run held nothing out, or the data set lacks an image or labels it otherwise.
    """
    if not (run / _HELD_OUT).is_file():
        raise ValueError(f"The run must have a fold held out, and be finished. Received: held_out_run={run.name}")
    known = [*read_split(data, "train"), *(read_nih(data) if read_plan(run).adults else [])]
    examples = {(example.path.name, example.target): example for example in known}
    with (run / _HELD_OUT).open(newline="") as file:
        named = [(row["filename"], int(row["target"])) for row in csv.DictReader(file)]
    if missing := [name for name in named if name not in examples]:
        raise ValueError(f"The data must hold what the run held out. Received: no {missing[0]} among {data.name}")
    return [examples[name] for name in named]


def count_shared_person_numbers(run: Path, data: Path) -> int:
    """Count the held-out images whose `fold_group` has other images that were trained on: 0 for folds made as now."""
    held_out = read_held_out(run, data)
    trained_on = {fold_group(example.patient) for example in set(read_split(data, "train")) - set(held_out)}
    return sum(fold_group(example.patient) in trained_on for example in held_out)


def _size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size
