"""Measures how the answer of trained networks follows what is hidden from them.

``python -m benchmarks.masking --data DATA --runs RUN RUN`` judges the children that every run has held out and
whose lungs are known, whole and with a quadrant or both lungs hidden by their smoothed surroundings, and prints:

- `auc`: on whole images;
- `false alarms`: share of the normals, not called PNEUMONIA whole, that are called so with a quadrant hidden;
- `blind calls`: share of the pneumonias that are still called so with both lungs hidden;
- `contrast`: of pneumonias, how far the quadrants differ in the log-odds that hiding them takes away, over the standard
  deviation of the run's log-odds.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.data.examples import CHILDREN, Example, load_images, targets_of
from export.evaluation.scoring import score_with_keras
from export.evaluation.shortcut import find_masks, hide
from export.training.plan import read_plan
from export.training.records import read_held_out
from export.training.train import load_trained


def main() -> None:
    """Print one row for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    examples = _held_out_by_all(arguments.runs, arguments.data)
    for run in arguments.runs:
        figures = measure(run, examples, arguments.data)
        print(f"{run.name:20} " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


def measure(run: Path, examples: Sequence[Example], data: Path) -> Mapping[str, float]:
    """Judge the images with regions hidden."""
    network, size = load_trained(run), read_plan(run).image_size
    lungs = find_masks(examples, data, size, None)
    known = [examples[i] for i in lungs.positions]
    images, targets = load_images(known, size), targets_of(known)[:, 0]
    whole = score_with_keras(network, images)
    quadrants = np.stack([score_with_keras(network, hide(images, hidden)) for hidden in _quadrants(images)])
    blind = score_with_keras(network, hide(images, lungs.masks))
    normals, sick = (targets == 0) & (whole <= 0), targets == 1
    return {
        "auc": float(roc_auc_score(targets, whole)),
        "false alarms": float((quadrants[:, normals] > 0).mean()),
        "blind calls": float((blind[sick] > 0).mean()),
        "contrast": float(np.ptp(whole[sick] - quadrants[:, sick], axis=0).mean() / whole.std()),
    }


def _held_out_by_all(runs: Sequence[Path], data: Path) -> list[Example]:
    held_out = [{e for e in read_held_out(run, data) if e.population == CHILDREN} for run in runs]
    return sorted(set.intersection(*held_out), key=lambda example: example.path.name)


def _quadrants(images: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    n, height, width, _ = images.shape
    for rows in (slice(0, height // 2), slice(height // 2, None)):
        for columns in (slice(0, width // 2), slice(width // 2, None)):
            hidden = np.zeros((n, height, width), dtype=bool)
            hidden[:, rows, columns] = True
            yield hidden


if __name__ == "__main__":
    main()
