"""The command line that repeats a training."""

import shlex
from collections.abc import Iterator
from dataclasses import fields

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
        As read from a run folder: of files it started from it knows the names alone.
    run
        Name for the run folder.

    Returns
    -------
    `python -m export train` with every option that differs from its default; ``DATA`` stands for the data set.
    """
    words = ["python", "-m", "export", "train", "--architecture", plan.architecture, *_options(plan)]
    return shlex.join([*words, "--data", "DATA", "--run", run])


def _options(plan: TrainingPlan) -> Iterator[str]:
    architecture = ARCHITECTURES[plan.architecture]
    for name in ("image_size", "learning_rate"):
        yield from _option(name, getattr(plan, name), getattr(architecture, name))
    for field in fields(plan):
        if field.name not in _OWN_OPTIONS:
            yield from _option(field.name, getattr(plan, field.name), getattr(_DEFAULTS, field.name))
    if plan.masking is not None:
        yield from ("--mask-augmentation", plan.masking.rule, "--mask-share", str(plan.masking.share))
        yield from _option("activation_run", plan.masking.activation_run, "")
    if plan.augmentation is None:
        yield "--no-augmentation"
    else:
        for limit in fields(AugmentationRange):
            yield from _option(limit.name, getattr(plan.augmentation, limit.name), limit.default)


def _option(name: str, value: object, default: object) -> Iterator[str]:
    """Give nothing for a default; a flag alone for True."""
    if value != default:
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield str(value)
