"""The record of an evaluation in a run folder: figures as JSON, as Markdown and as a page of plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.examples import Example, targets_of
from export.evaluation.metrics import Figures, Judgements
from export.evaluation.plots import plot_evaluation
from export.evaluation.prevalence import prevalence_figures
from export.evaluation.report import evaluation_report, evaluation_title
from export.evaluation.shortcut import ShortcutScores, shortcut_figures
from export.evaluation.subgroups import subgroup_figures
from export.run_folder import write_json
from export.training.plan import read_plan


def nested_figures(
    figures: Figures,
    judgements: Judgements,
    examples: Sequence[Example],
    shortcut: ShortcutScores | None,
    mask_source: str,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Compute what a record holds beside its figures.

    Parameters
    ----------
    figures
        Of all n images; `sensitivity` and `specificity` are used.
    judgements, examples
        Of these images.
    shortcut, mask_source
        Scores of those with known lungs, or None, and how the lungs were found.
    weights
        How much each image counts for the style-balanced figures, shape ``[n]``, or None for no such figures.

    Returns
    -------
    `prevalence`: predictive values by prevalence. `subgroups`: figures by dimension and group. `shortcut`: the AUC
    with parts of the images hidden, or None.
    """
    return {
        "prevalence": prevalence_figures(figures),
        "subgroups": subgroup_figures(judgements, examples, weights),
        "shortcut": shortcut and shortcut_figures(shortcut, *targets_and_patients(examples), mask_source),
    }


def targets_and_patients(examples: Sequence[Example]) -> tuple[NDArray[np.int64], list[str]]:
    """List what evaluations need of the examples: targets, shape ``[n]``, and patients."""
    return targets_of(examples)[:, 0].astype(np.int64), [example.patient for example in examples]


def write_evaluation(
    run: Path, split: str, judgements: Judgements, targets: NDArray[np.int64], record: Mapping[str, Any]
) -> None:
    """Write `evaluation-<split>.png`, `.md` and, last, `.json` into a run folder."""
    name, plan = f"evaluation-{split}", read_plan(run)
    plot_evaluation(
        evaluation_title(plan, split), judgements, targets, record, run / "history.csv", run / f"{name}.png"
    )
    (run / f"{name}.md").write_text(evaluation_report(plan, split, record, f"{name}.png"))
    write_json(run / f"{name}.json", record)
