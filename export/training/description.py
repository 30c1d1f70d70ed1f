"""A training told in words, for the card of what came out of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.data.augmentation import AugmentationRange
from export.networks.starting_weights import describe_starting_weights
from export.training.plan import TrainingPlan, read_plan

_ALWAYS = {
    "rotation": "rotation",
    "shift": "shift",
    "zoom": "zoom",
    "stretch": "stretch",
    "contrast": "contrast",
    "brightness": "brightness",
    "gamma": "gamma",
}
_SOMETIMES = {
    "style": "the processing style of another image",
    "jpeg": "JPEG compression",
    "resample": "shrinking and enlarging",
    "horizontal_flip": "a horizontal flip",
}


def describe_training(run: Path) -> str:
    """Say from what, how long and at what size a network was trained, back to the first weights."""
    plan = read_plan(run)
    return _describe({**asdict(plan), **json.loads((run / "training_data.json").read_text())})


def _describe(plan: Mapping[str, Any]) -> str:
    epochs = plan["epochs"]
    own = f"{epochs} {'epoch' if epochs == 1 else 'epochs'} at {plan['image_size']} pixels"
    if "started_from" in plan:
        return f"{_describe(plan['started_from'])}, then {own}"
    return f"{own}, from {describe_starting_weights(str(plan['init']))}"


def describe_augmentation(plan: TrainingPlan) -> str:
    """List the random changes of training images, and how often those happen that are not always made."""
    if plan.augmentation is None:
        return "none"
    changes = ", ".join([*_listed(plan.augmentation), *_hidden_regions(plan)])
    reason = "" if plan.augmentation.horizontal_flip else "; no flips, because the heart is on one side"
    return f"{changes}{reason}"


def _listed(ranges: AugmentationRange) -> Iterator[str]:
    yield from (words for name, words in _ALWAYS.items() if getattr(ranges, name))
    for name, words in _SOMETIMES.items():
        if share := getattr(ranges, name):
            yield f"{words} ({share:.0%})"


def _hidden_regions(plan: TrainingPlan) -> Iterator[str]:
    if plan.masking is not None:
        yield f"hidden regions with the label rule `{plan.masking.rule}` ({plan.masking.share:.0%})"
