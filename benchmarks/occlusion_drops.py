"""How much hiding a region usually takes away: what the scale of occlusion's colours rests on.

``python -m benchmarks.occlusion_drops --data DATA --run RUN`` judges children that a converted run has held out, as
many normals as pneumonias, whole and with regions hidden, by each fill, and prints for each division of the frame:

- `strongest`: of pneumonias, the largest drop of the log-odds, at the 10th, 50th and 90th percentile;
- `above`: share of these drops above the scale's upper end;
- `none`: share of pneumonias of which no region counts;
- `rise`: of normals, by how much hiding a region raises the log-odds, median over all regions;
- `false alarms`: share of hidden regions with which a normal, not called PNEUMONIA whole, has log-odds above 0.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from api.explain.grid import Region, regions_of
from api.explain.hiding import hide_each
from api.explain.occlusion import HALVES, QUADRANTS, SCALE, SMALLEST_DROP
from api.types import Fill
from export.data.examples import CHILDREN, load_images, targets_of
from export.training.plan import read_plan
from export.training.records import read_held_out

_FILLS: tuple[Fill, ...] = ("blur", "mean", "black")
_DIVISIONS: Mapping[str, Sequence[Region]] = {
    "halves": HALVES,
    "quadrants": QUADRANTS,
    **{f"{count} cells": regions_of(count) for count in (6, 8, 16, 24)},
}


def main() -> None:
    """Print one row for each fill and division."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--images", type=int, default=40, help="of each class")
    parser.add_argument("--fills", nargs="+", choices=_FILLS, default=_FILLS)
    parser.add_argument("--divisions", nargs="+", choices=_DIVISIONS, default=_DIVISIONS)
    arguments = parser.parse_args()
    images, sick = _load(arguments.run, arguments.data, arguments.images)
    session = onnxruntime.InferenceSession(arguments.run / "model.onnx", providers=["CPUExecutionProvider"])
    print("fill   division    strongest 10 %  50 %  90 %  above   none   rise  false alarms")
    for fill in arguments.fills:
        for division in arguments.divisions:
            boxes = [region.box for region in _DIVISIONS[division]]
            log_odds = np.stack([_judge(session, [image, *hide_each(image, boxes, fill)]) for image in images])
            print(f"{fill:6} {division:10} {_row(log_odds, sick)}", flush=True)


def _load(run: Path, data: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Take images spread over the list of each class, normals first."""
    children = [example for example in read_held_out(run, data) if example.population == CHILDREN]
    by_class = [[example for example in children if example.target == target] for target in (0, 1)]
    chosen = [each for examples in by_class for each in examples[:: max(1, len(examples) // count)][:count]]
    return load_images(chosen, read_plan(run).image_size)[..., 0], targets_of(chosen)[:, 0] == 1


def _judge(session: onnxruntime.InferenceSession, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    (logits,) = session.run(["logits"], {"image": np.stack(images)[..., np.newaxis]})
    return np.asarray(logits[:, 1] - logits[:, 0])


def _row(log_odds: NDArray[np.float32], sick: NDArray[np.bool_]) -> str:
    whole, hidden = log_odds[:, :1], log_odds[:, 1:]
    strongest = (whole - hidden)[sick].max(axis=1)
    normal = ~sick & (whole[:, 0] <= 0)
    quantiles = "  ".join(f"{value:5.2f}" for value in np.quantile(strongest, (0.1, 0.5, 0.9)))
    above, none = (strongest > SCALE.upper).mean(), (strongest < SMALLEST_DROP).mean()
    rise, alarms = np.median((hidden - whole)[normal]), (hidden[normal] > 0).mean()
    return f"     {quantiles}   {above:5.2f}  {none:5.2f}  {rise:5.2f}  {alarms:12.3f}"


if __name__ == "__main__":
    main()
