"""An evaluation as Markdown, for people."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from export.evaluation.metrics import Figures
from export.training.plan import TrainingPlan

_SPLITS = {
    "val": "the official validation split",
    "test": "the official test split",
    "held_out": "held-out patients of the training data",
}
_DIMENSIONS = {
    "subtype": "Subtype (against the normals of its population)",
    "population": "Population",
    "sex": "Sex",
    "age_group": "Age",
    "view": "View",
}
_RATES = ("accuracy", "sensitivity", "specificity", "precision", "brier", "expected_calibration_error")
_NONE = "n/a"
_GROUP_HEAD = (
    "group", "images", "patients", "PNEUMONIA", "AUC (95 %)", "accuracy", "sensitivity", "specificity", "precision",
    "Brier", "ECE",
)  # fmt: skip
_BALANCED = (
    "Images weigh so much that the processing style, for adults the view, does not tell the label: what a network that "
    "reads the style would lose, it loses here."
)
_BALANCED_RATES = ("auc", "sensitivity", "specificity", "expected_calibration_error")
_BALANCED_HEAD = ("group", "AUC", "sensitivity", "specificity", "ECE")


def evaluation_title(plan: TrainingPlan, split: str) -> str:
    """Say what was measured on what; `split` is ``val``, ``test`` or ``held_out``."""
    return f"{plan.architecture} at {plan.image_size} pixels on {_SPLITS[split]}"


def evaluation_report(plan: TrainingPlan, split: str, record: Mapping[str, Any], picture: str) -> str:
    """Write up an evaluation.

    Parameters
    ----------
    plan
        Of the network.
    split
        ``val``, ``test`` or ``held_out``.
    record
        What `evaluation-<split>.json` holds.
    picture
        File name of the plots beside the report.
    """
    blocks = [
        f"# {evaluation_title(plan, split)}",
        f"{record['images']} images of {record['patients']} patients. {_decision(record)}"
        " Intervals are 95 %, by drawing patients.",
        f"![Plots of this evaluation]({picture})",
        *_overall(record),
    ]
    return "\n\n".join([*blocks, detailed_figures(record)]).rstrip() + "\n"


def detailed_figures(record: Mapping[str, Any], level: int = 2) -> str:
    """Write up what a record holds beside its figures: predictive values, groups, shortcut test.

    Parameters
    ----------
    record
        With the blocks `prevalence`, `subgroups` and `shortcut`.
    level
        Of the headings.
    """
    blocks = "\n\n".join([*_prevalence(record), *_subgroups(record["subgroups"]), *_shortcut(record["shortcut"])])
    return re.sub(r"^#", "#" * (level - 1), blocks, flags=re.MULTILINE)


def with_interval(figures: Figures, name: str = "auc", digits: int = 3) -> str:
    """Write a figure with its interval, such as ``0.991 (0.983 to 0.997)``; ``n/a`` where there is none."""
    value, interval = figures[name], figures[f"{name}_95"]
    if value is None or interval is None:
        return _NONE
    return f"{value:.{digits}f} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], right_from: int = 1) -> str:
    """Write a table, the columns from `right_from` on aligned to the right."""
    rule = ["---" if column < right_from else "---:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _decision(record: Mapping[str, Any]) -> str:
    if "cross_fitted_groups" in record:
        return (
            f"Cross-fitted: each of {record['cross_fitted_groups']} groups is judged with the calibration and the "
            "threshold that the others gave."
        )
    return f"PNEUMONIA from P = {record['decision_threshold']} on."


def _overall(record: Mapping[str, Any]) -> Iterator[str]:
    yield "## Figures"
    rows = [("AUC", with_interval(record))]
    rows += [(name.replace("_", " "), _rate(record[name])) for name in (*_RATES[:4], "recall", *_RATES[4:])]
    rows += [
        (name.replace("_", " "), _rate(value)) for name, value in record.items() if name.startswith("style_balanced_")
    ]
    yield markdown_table(("figure", "value"), rows)
    yield markdown_table(
        ("", "called NORMAL", "called PNEUMONIA"),
        (
            ("is NORMAL", str(record["true_negatives"]), str(record["false_positives"])),
            ("is PNEUMONIA", str(record["false_negatives"]), str(record["true_positives"])),
        ),
    )


def _prevalence(record: Mapping[str, Any]) -> Iterator[str]:
    if record["prevalence"]:
        yield "## Where pneumonia is rarer\n\nBy Bayes' theorem from the sensitivity and the specificity above."
        rows = (
            (f"{float(share):.0%}", _rate(values["ppv"]), _rate(values["npv"]))
            for share, values in record["prevalence"].items()
        )
        yield markdown_table(("prevalence", "PPV", "NPV"), rows)


def _subgroups(subgroups: Mapping[str, Mapping[str, Figures]]) -> Iterator[str]:
    if subgroups:
        yield "## Groups"
    for dimension, groups in subgroups.items():
        yield f"### {_DIMENSIONS[dimension]}"
        yield markdown_table(_GROUP_HEAD, (_group_row(name, figures) for name, figures in groups.items()))
    balanced = [(name, figures) for groups in subgroups.values() for name, figures in groups.items()]
    balanced = [(name, figures) for name, figures in balanced if "style_balanced_auc" in figures]
    if balanced:
        yield f"### With styles balanced\n\n{_BALANCED}"
        yield markdown_table(_BALANCED_HEAD, (_balanced_row(name, figures) for name, figures in balanced))


def _group_row(name: str, figures: Figures) -> tuple[str, ...]:
    counts = (str(figures[key]) for key in ("images", "patients", "pneumonia_images"))
    return (name, *counts, with_interval(figures), *(_rate(figures[rate]) for rate in _RATES))


def _balanced_row(name: str, figures: Figures) -> tuple[str, ...]:
    return (name, *(_rate(figures[f"style_balanced_{rate}"]) for rate in _BALANCED_RATES))


def _shortcut(shortcut: Figures | None) -> Iterator[str]:
    if shortcut is None:
        return
    yield (
        f"## Shortcut test\n\nOn {shortcut['images']} images of {shortcut['patients']} patients with known lungs "
        f"({shortcut['masks']}). What is hidden is replaced by its smoothed surroundings; the outline of the lungs can "
        "still be guessed, so the middle row bounds from above what letters, tubes and borders give away."
    )
    rows = (
        ("whole image", with_interval(shortcut, "auc_whole")),
        ("lungs hidden", with_interval(shortcut, "auc_lungs_hidden")),
        ("all but the lungs hidden", with_interval(shortcut, "auc_lungs_only")),
    )
    yield markdown_table(("the network sees", "AUC (95 %)"), rows)


def _rate(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"
