"""What a run gives to its publication."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.release.provenance import require_current


@dataclass(frozen=True, slots=True)
class ReleaseContents:
    """What goes into the repository beside the model.

    `record` is the entry of `release` in the configuration, `card_facts` fill the card's template beside the record;
    `picture`, a PNG, and `model` are names of files in the run folder.
    """

    record: Mapping[str, Any]
    card_facts: Mapping[str, object]
    picture: str
    model: str = "model.onnx"


def read_current(run: Path, name: str) -> dict[str, Any]:
    """Read a JSON record of a run.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        It belongs to other files than the run holds.
    """
    record: dict[str, Any] = json.loads((run / name).read_text())
    require_current(run, record, name)
    return record
