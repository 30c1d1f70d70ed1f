"""The benchmark as a picture: a panel for each measure, a dot and its interval for each map."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.explanations.contenders import BASELINES
from export.explanations.measures import DECISIVE, RANKS_KEPT, STABILITY

# Colours of Okabe and Ito, which colour-blind readers can tell apart.
_METHOD, _WORSE, _BASELINE = "#0072B2", "#D55E00", "#7F7F7F"
_STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "axes.axisbelow": True,
    "font.size": 10,
}


def draw_benchmark(record: Mapping[str, Any], file: Path) -> None:
    """Draw insertion, deletion, energy in the lungs, stability and what shuffling the weights leaves, as a PNG.

    A dashed line marks the better baseline; what is not clearly better than it is hollow and orange.
    """
    names = [*record["methods"], *BASELINES]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(15, 1.8 + 0.36 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(DECISIVE) + 2, sharey=True)
        for axes, measure in zip(panels, DECISIVE, strict=False):
            _draw_compared(axes, record, names, measure.key)
            axes.set_title(f"{measure.title},\n{'more' if measure.rises else 'less'} is better")
        _draw_stability(panels[-2], record, names)
        _draw_shuffled(panels[-1], record, names)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        figure.savefig(file, dpi=100)


def _draw_compared(axes: Axes, record: Mapping[str, Any], names: list[str], key: str) -> None:
    for place, name in enumerate(names):
        method = record["methods"].get(name)
        figures = (method or record["baselines"][name])["figures"]
        if key not in figures:
            continue
        beats = method is not None and method["versus_better_baseline"][key]["beats"]
        colour = _METHOD if beats else _BASELINE if method is None else _WORSE
        _dot(axes, place, figures[key], colour, filled=beats or method is None)
    better = next(
        (m["versus_better_baseline"][key]["baseline"] for m in record["methods"].values() if key in m["figures"]), ""
    )
    if better:
        axes.axvline(record["baselines"][better]["figures"][key][0], color=_BASELINE, ls="--", lw=1)


def _draw_stability(axes: Axes, record: Mapping[str, Any], names: list[str]) -> None:
    axes.set_title("stability\nunder a small shift")
    for place, name in enumerate(names):
        figure = record["methods"].get(name, {}).get("figures", {}).get(STABILITY.key)
        if figure is not None:
            _dot(axes, place, figure, _METHOD, filled=True)
    axes.set_xlim(right=1.02)


def _draw_shuffled(axes: Axes, record: Mapping[str, Any], names: list[str]) -> None:
    axes.set_title("like the map of a network\nwith shuffled weights")
    limit = record["failing_rank_correlation"]
    axes.axvline(limit, color=_BASELINE, ls="--", lw=1)
    for place, name in enumerate(names):
        kept = record["methods"].get(name, {}).get("randomisation", {})
        if kept and not kept["looks_at_classifier"]:
            axes.text(0, place, "sees no classifier", va="center", ha="left", color=_WORSE, fontsize=8)
        elif RANKS_KEPT.key in kept:
            _dot(axes, place, kept[RANKS_KEPT.key], _METHOD if kept["passes"] else _WORSE, filled=kept["passes"])
    axes.set_xlim(-0.55, 1.05)


def _dot(axes: Axes, place: int, figure: list[float], colour: str, *, filled: bool) -> None:
    mean, lower, upper = figure
    axes.plot([lower, upper], [place, place], color=colour, lw=2)
    axes.plot(mean, place, "o", color=colour, ms=7, mfc=colour if filled else "white")
