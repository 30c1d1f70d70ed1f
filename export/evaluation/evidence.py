"""What networks said about the images that they have not seen, gathered from one run or from one for each fold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.data.examples import Example, load_images, targets_of
from export.data.weights import sample_weights
from export.evaluation.calibration import PlattScaling, StyleBalance, fit_platt
from export.evaluation.held_out import HeldOut
from export.evaluation.shortcut import Judge, LungMasks, ShortcutScores, find_masks, score_shortcuts
from export.training.plan import read_plan
from export.training.records import read_held_out


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the evidence comes from: the data set, the runs with a fold held out, and how lungs are found.

    `segmenter` is an ONNX file that finds lungs, or None for the reference masks of the data. `balance_styles` says
    what is fitted to images weighted so that the processing style, for adults the view, does not tell the label: the
    calibration, or the threshold too. `threshold_population` names the population that the threshold is chosen on,
    empty for all.
    """

    data: Path
    held_out_runs: Sequence[Path]
    segmenter: Path | None = None
    balance_styles: StyleBalance = "none"
    threshold_population: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log-odds of n unseen images, the images' descriptions, and the scores with and without lungs, where known."""

    held_out: HeldOut
    examples: Sequence[Example]
    shortcut: ShortcutScores | None
    mask_source: str


@dataclass(frozen=True, slots=True)
class _Fold:
    examples: Sequence[Example]
    images: NDArray[np.uint8]
    log_odds: NDArray[np.float64]
    lungs: LungMasks
    shortcut: ShortcutScores | None

    @property
    def own_scale(self) -> PlattScaling:
        return fit_platt(self.log_odds, np.array([example.target for example in self.examples]))


def gather_evidence(sources: Sources, open_judge: Callable[[Path], Judge]) -> Evidence:
    """Let each run judge what it has held out.

    Parameters
    ----------
    sources
        Runs and data.
    open_judge
        Gives, for a run folder, what turns grey levels ``[n, h, w, 1]`` into log-odds ``[n]``.

    Raises
    ------
    ValueError
        A run has no fold held out, two runs have held out the same image, or the data lack one of them.
    """
    folds = [_judge_fold(run, sources, open_judge(run)) for run in sources.held_out_runs]
    examples = [example for fold in folds for example in fold.examples]
    if len({example.path for example in examples}) < len(examples):
        raise ValueError(f"Each run must hold out other images. Received: {[r.name for r in sources.held_out_runs]}")
    style_weights = None if sources.balance_styles == "none" else _style_weights(examples, folds)
    held_out = HeldOut(
        log_odds=np.concatenate([fold.log_odds for fold in folds]),
        targets=targets_of(examples)[:, 0].astype(np.int64),
        patients=[example.patient for example in examples],
        networks=_network_numbers(folds) if len(folds) > 1 else None,
        weights=style_weights,
        deciding=_deciding(examples, sources, style_weights),
    )
    return Evidence(held_out, examples, _pooled_shortcut(folds), folds[0].lungs.source)


def _judge_fold(run: Path, sources: Sources, judge: Judge) -> _Fold:
    examples, size = read_held_out(run, sources.data), read_plan(run).image_size
    images = load_images(examples, size)
    lungs = find_masks(examples, sources.data, size, sources.segmenter)
    return _Fold(examples, images, judge(images), lungs, score_shortcuts(judge, images, lungs))


def _deciding(
    examples: Sequence[Example], sources: Sources, style_weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Weigh each image for the choice of the threshold; those of another population count nothing."""
    population = sources.threshold_population
    chosen = np.array([population in ("", example.population) for example in examples], dtype=np.float64)
    return chosen * style_weights if style_weights is not None and sources.balance_styles == "all" else chosen


def _network_numbers(folds: Sequence[_Fold]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(folds)), [len(fold.examples) for fold in folds])


def _style_weights(examples: Sequence[Example], folds: Sequence[_Fold]) -> NDArray[np.float64]:
    """Weigh away what style says, and leave each label's share as it is: calibration is to that share."""
    images = np.concatenate([fold.images for fold in folds])
    both, label_alone = (sample_weights(examples, images, balance) for balance in ("style", "class"))
    return (both / label_alone).astype(np.float64)


def _pooled_shortcut(folds: Sequence[_Fold]) -> ShortcutScores | None:
    """Join the scores of all folds; those of several networks are brought to one scale first."""
    starts = np.cumsum([0, *(len(fold.examples) for fold in folds)])
    known = [
        replace(
            _scaled(fold.shortcut, fold.own_scale) if len(folds) > 1 else fold.shortcut,
            positions=fold.shortcut.positions + start,
        )
        for fold, start in zip(folds, starts[:-1], strict=True)
        if fold.shortcut is not None
    ]
    if not known:
        return None
    names = ("positions", "whole", "lungs_hidden", "lungs_only")
    return ShortcutScores(*(np.concatenate([getattr(scores, name) for scores in known]) for name in names))


def _scaled(scores: ShortcutScores, scale: PlattScaling) -> ShortcutScores:
    return replace(
        scores,
        whole=scale.apply(scores.whole),
        lungs_hidden=scale.apply(scores.lungs_hidden),
        lungs_only=scale.apply(scores.lungs_only),
    )
