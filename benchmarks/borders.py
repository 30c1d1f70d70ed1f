"""Measures whether lost borders of heart and diaphragm tell PNEUMONIA, and how far boxes keep to the lungs.

``python -m benchmarks.borders --data DATA --fold 0`` looks at the held-out children of one fold of the training split,
at the val split, and at adults where `DATA` has them, never at the test split. Lungs are those of the published
segmenter, which has not seen the patients of fold 0. For each border and their means it prints the AUC of being
blurred with 95 % intervals over resampled patients:

- `AUC`: on the images as they are, where their processing gives the label away;
- `styles balanced`: weighted against that (`export.data.weights`), which leaves a part of it, as the row `style` shows;
- `styles matched`: among pairs of images of like processing (`benchmarks.style_matching`);
- `texture matched`: among pairs of like processing and texture together.

`texture` is a control: how steep the grey level is within the lungs, border or not. Only what is left when texture is
matched as well is the border's own.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.explain.borders import RESOLUTION, TRACERS, divide_lungs
from benchmarks.silhouette_boxes import print_shares_outside
from benchmarks.style_matching import matched_auc, style_log_odds
from export.data.examples import Example, fold_group, load_images, read_split, split_fold
from export.data.nih import read_nih
from export.data.weights import sample_weights
from export.evaluation.metrics import auc_interval, weighted_auc
from export.lungs.scoring import segment_lungs

_SIDES = ("image_left", "image_right")
_QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_MEANS: Mapping[str, Sequence[str]] = {
    "heart, mean": ("heart image_left", "heart image_right"),
    "diaphragm, mean": ("diaphragm image_left", "diaphragm image_right"),
    "all four, mean": tuple(f"{border} {side}" for border in TRACERS for side in _SIDES),
}
_Scores = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Cases:
    """Radiographs with grey levels and lungs, ``[n, 224, 224]`` each."""

    examples: Sequence[Example]
    images: NDArray[np.uint8]
    lungs: NDArray[np.bool_]

    @property
    def targets(self) -> NDArray[np.int64]:
        """1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``."""
        return np.array([example.target for example in self.examples])

    @property
    def groups(self) -> list[str]:
        """Who each image is of."""
        return [fold_group(example.patient) for example in self.examples]


def main() -> None:
    """Print the figures as tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--segmenter", type=Path, default=Path("model_repository/lung_segmenter/1/model.onnx"))
    arguments = parser.parse_args()
    children = read_cases(split_fold(read_split(arguments.data, "train"), arguments.fold)[1], arguments.segmenter)
    _print_borders(children, read_cases(read_split(arguments.data, "val"), arguments.segmenter))
    if (arguments.data / "nih_chestxray14").is_dir():
        _print_adults(read_cases(read_nih(arguments.data), arguments.segmenter))
    print_shares_outside(children.examples, children.images, children.lungs, arguments.data)


def read_cases(examples: Sequence[Example], segmenter: Path) -> Cases:
    """Read radiographs, and find their lungs."""
    images = load_images(examples, RESOLUTION)[..., 0]
    return Cases(examples, images, segment_lungs(segmenter, images))


def sharpness_of(cases: Cases) -> dict[str, NDArray[np.float64]]:
    """Measure every border, and their means: shape ``[n]`` each, NaN where there is none to trace."""
    measured = [_trace_all(image, lungs) for image, lungs in zip(cases.images, cases.lungs, strict=True)]
    scores = {name: np.array([each[name] for each in measured]) for name in measured[0]}
    return scores | {name: np.mean([scores[part] for part in parts], axis=0) for name, parts in _MEANS.items()}


def _trace_all(image: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> dict[str, float]:
    sharpness = {"texture": _texture(image, lungs)}
    for side, lung in divide_lungs(lungs).items():
        for border, trace in TRACERS.items():
            traced = trace(image, lung, side)
            sharpness[f"{border} {side}"] = np.nan if traced is None else traced.sharpness
    return sharpness


def _texture(image: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> float:
    grey = image.astype(np.float64)
    steepness = np.abs(grey[1:-1, 2:] - grey[1:-1, :-2]) + np.abs(grey[2:, 1:-1] - grey[:-2, 1:-1])
    contrast = float(np.subtract(*np.percentile(grey[lungs], [95, 5])))
    return float(steepness[lungs[1:-1, 1:-1]].mean() / contrast)


def _print_borders(children: Cases, val: Cases) -> None:
    sharpness, on_val = sharpness_of(children), sharpness_of(val)
    style = style_log_odds(children.images, children.targets, children.groups)
    texture = np.log(sharpness["texture"])[:, np.newaxis]
    both = style_log_odds(children.images, children.targets, children.groups, texture)
    weights = sample_weights(children.examples, children.images[..., np.newaxis], "style").astype(np.float64)
    print(f"\n## Blurred borders: {_count(children)}; val: {_count(val)}\n")
    print("| border | AUC | styles balanced | styles matched | texture matched | val |\n|---|---|---|---|---|---|")
    for name, values in sharpness.items():
        cells = [*_cells(-values, children, weights, (style, both)), _cell(-on_val[name], val)]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"| style | {' | '.join(_cells(style, children, weights, (style, both)))} | |")
    _print_reference(sharpness, on_val, children, val, weights)


def _cells(
    scores: NDArray[np.float64],
    cases: Cases,
    weights: NDArray[np.float64],
    matchings: Sequence[NDArray[np.float64]],
) -> Iterator[str]:
    there = np.isfinite(scores)
    groups = [group for group, measured in zip(cases.groups, there, strict=True) if measured]
    yield _cell(scores, cases)
    yield _cell(scores, cases, weights)
    for style in matchings:
        yield _interval(*matched_auc(scores[there], cases.targets[there], style[there], groups))


def _cell(scores: NDArray[np.float64], cases: Cases, weights: NDArray[np.float64] | None = None) -> str:
    there = np.isfinite(scores)
    groups = [group for group, measured in zip(cases.groups, there, strict=True) if measured]
    kept = None if weights is None else weights[there]
    value = weighted_auc(scores[there], cases.targets[there], kept)
    interval = auc_interval(scores[there], cases.targets[there], groups, kept)
    return "-" if value is None or interval is None else _interval(value, *interval)


def _interval(value: float, lower: float, upper: float) -> str:
    return f"{value:.3f} ({lower:.3f} to {upper:.3f})"


def _print_reference(
    sharpness: _Scores, on_val: _Scores, children: Cases, val: Cases, weights: NDArray[np.float64]
) -> None:
    """Print how sharp the borders of normals are, styles balanced, and how the val split's lie among them."""
    print(f"\nSharpness of normals, styles balanced: quantiles {', '.join(map(str, _QUANTILES))}; medians of val\n")
    normal = children.targets == 0
    for name in _MEANS["all four, mean"]:
        quantiles = _weighted_quantiles(sharpness[name][normal], weights[normal])
        medians = [np.nanmedian(on_val[name][val.targets == target]) for target in (0, 1)]
        print(f"{name}: {[round(value, 4) for value in quantiles]}; val {medians[0]:.4f} normal, {medians[1]:.4f} sick")


def _weighted_quantiles(values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    there = np.isfinite(values)
    order = np.argsort(values[there])
    ordered, heavy = values[there][order], weights[there][order]
    places = (np.cumsum(heavy) - heavy / 2) / heavy.sum()
    return [float(np.interp(quantile, places, ordered)) for quantile in _QUANTILES]


def _print_adults(adults: Cases) -> None:
    sharpness = sharpness_of(adults)
    weights = sample_weights(adults.examples, adults.images[..., np.newaxis], "style").astype(np.float64)
    print(f"\n## Adults: {_count(adults)}\n\n| border | AUC | views balanced |\n|---|---|---|")
    for name, values in sharpness.items():
        print(f"| {name} | {_cell(-values, adults)} | {_cell(-values, adults, weights)} |")


def _count(cases: Cases) -> str:
    return f"{len(cases.examples)} images, {int((cases.targets == 0).sum())} of them NORMAL"


if __name__ == "__main__":
    main()
