"""Adults: frontal radiographs of the NIH ChestX-ray14 collection (Wang et al. 2017), with labels mined from reports."""

import csv
from pathlib import Path

from export.data.examples import ADULTS, LABELS, Example

_FOLDER = "nih_chestxray14"


def read_nih(data: Path) -> list[Example]:
    """List the radiographs, sorted by file name.

    Raises
    ------
    FileNotFoundError
        The data have no such folder.
    """
    folder = data / _FOLDER
    with (folder / "manifest.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["filename"])
    return [
        Example(
            path=folder / row["label"] / row["filename"],
            target=LABELS.index(row["label"]),
            subtype=row["label"].lower(),
            patient=f"nih-{row['patient']}",
            population=ADULTS,
            sex=row["sex"],
            age=int(row["age"]),
            view=row["view"],
        )
        for row in rows
    ]
