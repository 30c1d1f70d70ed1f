"""What a training was, told apart from which fold it held out and from how its folders are called."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from export.training.plan import TrainingPlan, read_plan

_PLANNED = frozenset(field.name for field in fields(TrainingPlan)) - {"fold"}
_STARTING_RUN = "the run that it started from"


def read_recipe(run: Path) -> dict[str, Any]:
    """Describe a training so that it equals that of any other fold.

    Returns
    -------
    The plan without its fold. Where the weights came from a run, `init` is the recipe of that run, back to the first
    weights: a fold starts from a run with the same fold held out, which lies in another folder. A first model for the
    mask labels that is the run it started from is called so; another one keeps its name, since no more is recorded.
    """
    return _recipe({**asdict(read_plan(run)), **json.loads((run / "training_data.json").read_text())})


def _recipe(training: Mapping[str, Any]) -> dict[str, Any]:
    recipe = {key: value for key, value in training.items() if key in _PLANNED}
    start = training.get("started_from")
    if start is None:
        return recipe
    masking = recipe.get("masking")
    if masking and masking["activation_run"] == training["init"]:
        recipe["masking"] = {**masking, "activation_run": _STARTING_RUN}
    return {**recipe, "init": _recipe(start)}
