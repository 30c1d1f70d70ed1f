"""The step that writes a classifier with its explanations, and what must be known to show them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.data.examples import LABELS, Example, load_images
from export.explainable.choice import choose
from export.explainable.features import feature_outputs
from export.explainable.maps import Explained, add_maps
from export.explainable.scales import SCALE_RULE, map_scales, map_values
from export.explainable.sheet import draw_sheet
from export.release.provenance import sha256_of
from export.run_folder import write_json
from export.training.plan import read_plan
from export.training.train import split_examples

EXPLAINABLE_FILE, EXPLAINABLE_RECORD, EXPLAINABLE_PICTURE = "explainable.onnx", "explainable.json", "explainable.png"
_MOST_IMAGES = 200
_SHOWN = (1, 1, 1, 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller chooses; None, and no `maps`, leave it to `choose` and `add_maps`."""

    logit: str | None = None
    layer: str | None = None
    source: str | None = None
    features: tuple[str, ...] | None = None
    maps: tuple[str, ...] = ()


def write_explainable(model: Path, out: Path, wishes: Wishes) -> Explained:
    """Write a classifier with its explanations as further outputs, and say what they explain.

    Raises
    ------
    DifferentiationError
        The classifier's graph cannot be differentiated.
    ValueError
        A choice must be made by the caller.
    """
    classifier = onnx.load(model)
    explained = choose(classifier, wishes.logit, wishes.layer, wishes.source, wishes.features)
    onnx.save(add_maps(classifier, explained, wishes.maps), out)
    return explained


def explain_run(run: Path, data: Path) -> None:
    """Write `explainable.onnx` of a converted classifier, with its colour scales and a sheet of examples.

    Parameters
    ----------
    run
        The run folder, with `model.onnx`. Its log-odds, output `logits`, entry 1, are what is explained.
    data
        The data set. The colour scales are measured on radiographs that the run held out.

    Raises
    ------
    ValueError
        The run held nothing out.
    """
    out = run / EXPLAINABLE_FILE
    explained = write_explainable(run / "model.onnx", out, Wishes(logit="logits:1"))
    examples = _held_out(run, data)
    images = load_images(examples, read_plan(run).image_size)
    sick = np.array([example.target == 1 for example in examples])
    values = map_values(out, images)
    scales = map_scales({name: maps[sick] for name, maps in values.items()})
    record = {
        **asdict(explained),
        "map_scales": scales,
        "features": _features(out, explained.features, images[sick]),
        "scale_rule": SCALE_RULE,
        "scale_images": int(sick.sum()),
        "sha256": {name: sha256_of(run / name) for name in ("model.onnx", EXPLAINABLE_FILE)},
    }
    write_json(run / EXPLAINABLE_RECORD, record)
    shown = _first_of_each(examples)
    titles = [f"{LABELS[examples[place].target]}, {examples[place].population}" for place in shown]
    draw_sheet(
        images[shown], titles, {name: maps[shown] for name, maps in values.items()}, scales, run / EXPLAINABLE_PICTURE
    )


def _features(model: Path, layers: Sequence[str], images: NDArray[np.uint8]) -> list[dict[str, object]]:
    """Say of each layer which outputs show it, and the upper end of their colours."""
    outputs = {layer: feature_outputs(number) for number, layer in enumerate(layers, start=1)}
    values = map_values(model, images, [maps for maps, _ in outputs.values()])
    scales = map_scales(values)
    return [
        {"layer": layer, "output": maps, "channels": channels, "scale": scales[maps]}
        for layer, (maps, channels) in outputs.items()
    ]


def _held_out(run: Path, data: Path) -> list[Example]:
    """Take up to `_MOST_IMAGES` held-out radiographs, spread over the list."""
    _, held_out = split_examples(read_plan(run), data)
    if not held_out:
        raise ValueError(f"The run must have held out a fold, to measure colour scales on. Received: {run.name}")
    return held_out[:: -(-len(held_out) // _MOST_IMAGES)]


def _first_of_each(examples: Sequence[Example]) -> list[int]:
    """Choose the radiographs of the sheet by their label alone, in the order of their names."""
    left = {target: [place for place, example in enumerate(examples) if example.target == target] for target in (0, 1)}
    return [left[target].pop(0) for target in _SHOWN if left[target]]
