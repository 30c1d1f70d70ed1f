"""Measuring of a converted segmenter on the patients that its network has not seen."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.examples import read_split
from export.data.nih import read_nih
from export.evaluation.metrics import Figures
from export.lungs.dice import bootstrap_mean, dice_coefficient
from export.lungs.examples import LungExample, load_frame, load_pairs, read_lung_examples
from export.lungs.pictures import plot_outlines
from export.lungs.plausibility import fit_plausible_lungs
from export.lungs.scoring import run_on_radiographs, segment_lungs, separate_roughly
from export.lungs.train import read_held_out_names
from export.release.provenance import hashes, require_current
from export.run_folder import write_json

_POOR = 0.9


def evaluate_lungs(
    run: Path, data: Path, baseline: Path, time_latency: Callable[[Path], Mapping[str, float]] | None
) -> Figures:
    """Write `evaluation-held_out.json`, `.md` and `.png`, and `plausible_lungs.json`.

    Parameters
    ----------
    run
        A converted run.
    data
        The data set; with `nih_chestxray14`, adults too decide what is plausible.
    baseline
        The ONNX file of `pixel_importance`, for the study's rough separation.
    time_latency
        Times the ONNX file; None leaves the latency out.

    Raises
    ------
    ValueError
        The run was trained again after its conversion, or the data lack what it has held out.
    """
    conversion = json.loads((run / "conversion.json").read_text())
    require_current(run, conversion, "conversion.json")
    model = run / "model.onnx"
    held_out = _held_out(run, data)
    figures = {
        **_overlap(run, held_out, baseline),
        "size_mib": round(model.stat().st_size / 2**20, 2),
        **(time_latency(model) if time_latency else {}),
        "parity_with_keras": conversion["parity"],
    }
    write_json(run / "evaluation-held_out.json", {**figures, **hashes(run, "model.onnx", "model.weights.h5")})
    (run / "evaluation-held_out.md").write_text(_table(figures))
    write_json(run / "plausible_lungs.json", {**_plausible(run, data), **hashes(run, "model.onnx")})
    return figures


def _held_out(run: Path, data: Path) -> list[LungExample]:
    """Find what the run has not seen, by its own record: how folds are made may have changed since."""
    names = read_held_out_names(run)
    examples = [e for part in read_lung_examples(data, fold=0) for e in part if e.radiograph.name in names]
    if len(examples) != len(names):
        raise ValueError(f"The data must hold what the run held out. Received: {len(examples)} of {len(names)} images")
    return examples


def _overlap(run: Path, examples: Sequence[LungExample], baseline: Path) -> Figures:
    radiographs, published = load_pairs(examples)
    references = published > 0
    masks = segment_lungs(run / "model.onnx", radiographs)
    dice = _dice(masks, references)
    plot_outlines(radiographs, references, masks, dice, run / "evaluation-held_out.png")
    patients = [example.patient for example in examples]
    labels = np.array([example.radiograph.parent.name for example in examples])
    return {
        "images": len(examples),
        "patients": len(set(patients)),
        **_summary("dice", dice, patients),
        "dice_lowest": round(float(dice.min()), 4),
        "share_of_images_under_0.9": round(float((dice < _POOR).mean()), 4),
        **{f"dice_{label.lower()}": round(float(dice[labels == label].mean()), 4) for label in np.unique(labels)},
        **_summary("rough_separation_dice", _dice(separate_roughly(baseline, radiographs), references), patients),
    }


def _dice(masks: NDArray[np.bool_], references: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array([dice_coefficient(*pair) for pair in zip(masks, references, strict=True)])


def _summary(name: str, dice: NDArray[np.float64], patients: Sequence[str]) -> Figures:
    interval = [round(bound, 4) for bound in bootstrap_mean(dice, patients)]
    return {name: round(float(dice.mean()), 4), f"{name}_95": interval}


def _plausible(run: Path, data: Path) -> Mapping[str, Any]:
    """Fit the limits to radiographs without masks, none of which was trained on, and to those held out."""
    held_out, masked = read_held_out_names(run), {path.stem for path in (data / "lung_masks").glob("*.png")}
    children = [e.path for e in read_split(data, "train") if e.path.name in held_out or e.path.stem not in masked]
    adults = [e.path for e in read_nih(data)] if (data / "nih_chestxray14").is_dir() else []
    frames = [load_frame(path) for path in (*children, *adults)]
    limits = fit_plausible_lungs(list(run_on_radiographs(run / "model.onnx", "mask", frames)))
    return {**limits, "children": len(children), "adults": len(adults)}


def _table(figures: Figures) -> str:
    rows = (f"| {name} | {value} |" for name, value in figures.items())
    return "\n".join(["# Lung segmenter on held-out patients", "", "| figure | value |", "|---|---:|", *rows, ""])
