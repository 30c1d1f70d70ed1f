"""The page of plots of an evaluation. Colours are those of Okabe and Ito, which colour-blind readers can tell apart."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from export.data.examples import LABELS
from export.evaluation.metrics import Judgements
from export.evaluation.prevalence import PREVALENCES, predictive_values

matplotlib.use("Agg")
_NORMAL, _PNEUMONIA, _ACCENT, _QUIET = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
_STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "font.size": 10,
}
_BINS = np.linspace(0, 1, 11)
_LOG_ODDS_SHOWN = 12.0


def plot_evaluation(
    title: str,
    judgements: Judgements,
    targets: NDArray[np.int64],
    record: Mapping[str, Any],
    history: Path,
    path: Path,
) -> None:
    """Draw the nine plots of an evaluation into a PNG file.

    Parameters
    ----------
    title
        What was measured on what.
    judgements
        Of n images.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    record
        The figures of these judgements, with the blocks `subgroups`, `prevalence` and `shortcut`.
    history
        The CSV file with a row for each epoch; its plots say so where it is missing.
    path
        Where to write.
    """
    epochs = _read_history(history)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(14, 13.4), layout="constrained")
        figure.suptitle(title, fontsize=15, fontweight="bold", x=0.02, ha="left")
        axes = figure.subplots(3, 3).ravel()
        _draw_roc(axes[0], judgements.scores, targets, record)
        _draw_confusion(axes[1], record)
        _draw_reliability(axes[2], judgements.probabilities, targets, record)
        _draw_distribution(axes[3], judgements.probabilities, targets, record)
        _draw_groups(axes[4], record)
        _draw_predictive_values(axes[5], record)
        _draw_shortcut(axes[6], record["shortcut"])
        _draw_history(axes[7], epochs, "loss")
        _draw_history(axes[8], epochs, "accuracy")
        figure.savefig(path, dpi=100)


def _draw_roc(axes: Axes, scores: NDArray[np.float64], targets: NDArray[np.int64], record: Mapping[str, Any]) -> None:
    axes.set(title="ROC", xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.plot([0, 1], [0, 1], ":", color=_QUIET, label="chance")
    if record["auc"] is None:
        return
    axes.plot(*roc_curve(targets, scores)[:2], color=_NORMAL, lw=2, label=f"AUC {_auc_text(record)}")
    point = (1 - record["specificity"], record["sensitivity"])
    label = f"decision: sens. {point[1]:.3f}, spec. {record['specificity']:.3f}"
    axes.plot(*point, "o", color=_PNEUMONIA, ms=8, label=label, zorder=3)
    axes.legend(loc="lower right")
    closer = axes.inset_axes((0.42, 0.34, 0.5, 0.4), xlim=(-0.005, 0.2), ylim=(0.8, 1.005))
    closer.plot(*roc_curve(targets, scores)[:2], color=_NORMAL, lw=2)
    closer.plot(*point, "o", color=_PNEUMONIA, ms=8)
    closer.set_title("the upper left corner", fontsize=9, fontweight="normal")
    closer.tick_params(labelsize=8)


def _draw_confusion(axes: Axes, record: Mapping[str, Any]) -> None:
    names = (("true_negatives", "false_positives"), ("false_negatives", "true_positives"))
    counts = np.array([[record[name] for name in row] for row in names])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(2, 2):
        text = f"{counts[row, column]:,}\n{shares[row, column]:.1%}"
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=13)
    axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=LABELS, xlabel="called", ylabel="is")
    axes.set_yticklabels(LABELS, rotation=90, va="center")
    axes.set_title("Confusion matrix, shares of each row")
    axes.grid(visible=False)


def _draw_reliability(
    axes: Axes, probabilities: NDArray[np.float64], targets: NDArray[np.int64], record: Mapping[str, Any]
) -> None:
    bins = np.clip(np.digitize(probabilities, _BINS) - 1, 0, len(_BINS) - 2)
    counts = np.bincount(bins, minlength=len(_BINS) - 1)
    filled = counts > 0
    stated, observed = (np.bincount(bins, v, len(counts))[filled] / counts[filled] for v in (probabilities, targets))
    axes.plot([0, 1], [0, 1], ":", color=_QUIET)
    axes.errorbar(stated, observed, _wilson(observed, counts[filled]), fmt="o", color=_NORMAL, capsize=3, ms=6)
    for x, y, count in zip(stated, observed, counts[filled], strict=True):
        place = (7, -4) if x < 0.8 else (-7 - 6 * len(f"{count:,}"), -4)
        axes.annotate(f"{count:,}", (x, y), place, textcoords="offset points", fontsize=9)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xlabel="stated P(PNEUMONIA), images beside the points", ylabel="observed share, 95 %")
    axes.set_title(f"Reliability, ECE {record['expected_calibration_error']:.3f}, Brier {record['brier']:.3f}")


def _wilson(share: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the distances down and up to the ends of the 95 % interval of a share (Wilson 1927), shape ``[2, n]``."""
    z = 1.96
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.maximum([share - (centre - half), centre + half - share], 0)


def _draw_distribution(
    axes: Axes, probabilities: NDArray[np.float64], targets: NDArray[np.int64], record: Mapping[str, Any]
) -> None:
    shown = np.clip(_logit(probabilities), -_LOG_ODDS_SHOWN, _LOG_ODDS_SHOWN)
    edges = np.linspace(-_LOG_ODDS_SHOWN, _LOG_ODDS_SHOWN, 49).tolist()
    for target, colour in ((0, _NORMAL), (1, _PNEUMONIA)):
        own = shown[targets == target]
        share = np.full(len(own), 1 / max(len(own), 1))
        label = f"{LABELS[target]} ({len(own):,})"
        axes.hist(own, edges, weights=share, color=colour, alpha=0.55, histtype="stepfilled", label=label)
        axes.hist(own, edges, weights=share, color=colour, histtype="step", lw=1.5)
    if "decision_threshold" in record:
        threshold = record["decision_threshold"]
        axes.axvline(float(_logit(np.array(threshold))), color="black", ls="--", label=f"threshold P = {threshold}")
    axes.set(title="Answers by class", xlabel="log-odds of PNEUMONIA (P above)", ylabel="share of the class")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.97), fontsize=9)
    above = axes.secondary_xaxis("top")
    ticks = np.array([0.001, 0.05, 0.5, 0.95, 0.999])
    above.set_xticks(_logit(ticks), [f"{tick:g}" for tick in ticks], fontsize=8)
    above.tick_params(length=2, pad=1)


def _draw_groups(axes: Axes, record: Mapping[str, Any]) -> None:
    rows = [("all", record), *((name, f) for groups in record["subgroups"].values() for name, f in groups.items())]
    rows = [(name, figures) for name, figures in rows if figures["auc_95"] is not None]
    _draw_intervals(axes, [(f"{name} ({f['images']:,})", f["auc"], f["auc_95"]) for name, f in rows])
    axes.set_title("AUC by group (images), 95 %")


def _draw_shortcut(axes: Axes, shortcut: Mapping[str, Any] | None) -> None:
    axes.set_title("Shortcut test, AUC, 95 %")
    if shortcut is None or shortcut["auc_whole_95"] is None:
        _say(axes, "no image has known lungs")
        return
    parts = (("whole image", "whole"), ("lungs hidden", "lungs_hidden"), ("lungs only", "lungs_only"))
    rows = [(label, shortcut[f"auc_{name}"], shortcut[f"auc_{name}_95"]) for label, name in parts]
    _draw_intervals(axes, rows, start=0.4)
    axes.axvline(0.5, color=_QUIET, ls=":")
    axes.set_xlabel(f"AUC on {shortcut['images']:,} images ({shortcut['masks']}); 0.5 is chance")


def _draw_intervals(axes: Axes, rows: list[tuple[str, float, list[float]]], start: float | None = None) -> None:
    for place, (_, value, (lower, upper)) in enumerate(rows):
        axes.plot([lower, upper], [place, place], color=_NORMAL, lw=2)
        axes.plot(value, place, "o", color=_NORMAL, ms=6)
        axes.annotate(f"{value:.3f}", (value, place), (0, 7), textcoords="offset points", ha="center", fontsize=9)
    lowest = min((interval[0] for _, _, interval in rows), default=0.5)
    first = min(lowest, 0.99 if start is None else start)
    axes.set_xlim(first - 0.08 * (1 - first), 1 + 0.08 * (1 - first))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylim(len(rows) - 0.4, -0.8)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_xlabel("AUC")
    axes.grid(axis="y", visible=False)


def _draw_predictive_values(axes: Axes, record: Mapping[str, Any]) -> None:
    axes.set_title("Worth of an answer by prevalence")
    if not record["prevalence"]:
        _say(axes, "one label only")
        return
    shares = np.linspace(0.005, 0.5, 100)
    values = [predictive_values(record["sensitivity"], record["specificity"], share) for share in shares]
    for column, (colour, label) in enumerate(
        ((_PNEUMONIA, "PPV: PNEUMONIA is right"), (_NORMAL, "NPV: NORMAL is right"))
    ):
        curve = np.array([value[column] for value in values], dtype=float)
        axes.plot(shares, curve, color=colour, lw=2, label=label)
        marked = np.interp(PREVALENCES, shares, curve)
        axes.plot(PREVALENCES, marked, "o", color=colour, ms=6)
        for x, y in zip(PREVALENCES, marked, strict=True):
            axes.annotate(f"{y:.2f}", (x, y), (-2, -14 + 21 * column), textcoords="offset points", fontsize=9)
    axes.set(xlim=(0, 0.5), ylim=(0, 1.1), xlabel="share of PNEUMONIA among those examined", ylabel="share right")
    axes.legend(loc="lower right")


def _draw_history(axes: Axes, epochs: Mapping[str, NDArray[np.float64]], kind: str) -> None:
    axes.set(title=f"Training: {kind}", xlabel="epoch", ylabel=kind)
    train = next((name for name in (kind, f"binary_{kind}") if name in epochs), None)
    if train is None:
        _say(axes, "not recorded")
        return
    axes.plot(epochs["epoch"] + 1, epochs[train], "o-", color=_NORMAL, ms=4, label="training")
    if f"val_{train}" in epochs:
        axes.plot(epochs["epoch"] + 1, epochs[f"val_{train}"], "s--", color=_PNEUMONIA, ms=4, label="held-out patients")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=_QUIET, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def _read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the recorded columns of the history; of an epoch that was trained again the later row."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    columns = next(iter(rows.values()), {})
    recorded = [name for name in columns if all(row[name] not in (None, "", "NA") for row in rows.values())]
    return {name: np.array([float(rows[epoch][name]) for epoch in sorted(rows)]) for name in recorded}


def _auc_text(record: Mapping[str, Any]) -> str:
    lower, upper = record["auc_95"]
    return f"{record['auc']:.3f} ({lower:.3f} to {upper:.3f})"


def _logit(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    tiny = 1e-9
    return np.asarray(np.log((probabilities + tiny) / (1 - probabilities + tiny)))
