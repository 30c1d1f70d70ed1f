"""The command line that repeats a training."""

import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from export.data.augmentation import AugmentationRange
from export.networks.architectures import ARCHITECTURES
from export.training.plan import TrainingPlan

_DEFAULTS = TrainingPlan(architecture="", image_size=0)
_OWN_OPTIONS = frozenset({"architecture", "augmentation", "masking", "image_size", "learning_rate"})


def training_command(plan: TrainingPlan, run: str) -> str:
    """Write the command line that trains by a plan.

    Parameters
    ----------
    plan
        As read from a run folder: of files and runs it started from it knows the names alone.
    run
        Where the run folder shall lie; other runs are looked for beside it.

    Returns
    -------
    `python -m export train` with every option that differs from its default; ``DATA`` stands for the data set.
    """
    words = ["python", "-m", "export", "train", "--architecture", plan.architecture, *_options(plan, Path(run).parent)]
    return shlex.join([*words, "--data", "DATA", "--run", run])


def _options(plan: TrainingPlan, runs: Path) -> Iterator[str]:
    architecture = ARCHITECTURES[plan.architecture]
    for name in ("image_size", "learning_rate"):
        yield from _option(name, getattr(plan, name), getattr(architecture, name))
    for field in fields(plan):
        if field.name == "init" and _is_run(plan.init):
            yield from ("--init", str(runs / plan.init))
        elif field.name not in _OWN_OPTIONS:
            yield from _option(field.name, getattr(plan, field.name), getattr(_DEFAULTS, field.name))
    if plan.masking is not None:
        yield from ("--mask-augmentation", plan.masking.rule, "--mask-share", str(plan.masking.share))
        if plan.masking.activation_run:
            yield from ("--activation-run", str(runs / plan.masking.activation_run))
    if plan.augmentation is None:
        yield "--no-augmentation"
    else:
        for limit in fields(AugmentationRange):
            yield from _option(limit.name, getattr(plan.augmentation, limit.name), limit.default)


def _is_run(init: str) -> bool:
    """Tell a run folder from a file with weights, which has a suffix, and from the words for none and ImageNet."""
    return init not in ("none", "imagenet") and not Path(init).suffix


def _option(name: str, value: object, default: object) -> Iterator[str]:
    """Give nothing for a default; a flag alone for True."""
    if value != default:
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield str(value)
