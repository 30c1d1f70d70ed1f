"""Measures a converted classifier's gate, with or without the lung segmenter, on what must pass and what must not."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from api.quality import LUNGS_NOT_FOUND, UNLIKE_TRAINING_DATA, assess
from api.types import GateLimits, Quality
from export.data.examples import Example, read_split
from export.gate.disturbances import FITTED, UNSEEN, Change, Pixels
from export.gate.drawings import CHOSEN_WITH
from export.gate.halves import measures
from export.gate.negatives import pictures_of_no_chest
from export.gate.pictures import (
    INVERTED,
    LATERAL,
    LATERAL_FOLDER,
    ROTATED,
    invert,
    keep,
    model_inputs,
    read_pixels,
    rotate,
)
from export.release.provenance import hashes, require_current, sha256_of
from export.run_folder import write_json
from export.training.plan import read_plan
from export.training.train import split_examples

GATE_EVALUATION = "evaluation-gate"
_OF_EACH_POPULATION = 30
_UNSEEN, _TRAINED_ON = "not seen", "been trained on"
_DERIVED: Mapping[str, Change] = {
    f"{ROTATED} by 90 degrees": rotate(1),
    f"{ROTATED} by 180 degrees": rotate(2),
    f"{ROTATED} by 270 degrees": rotate(3),
    INVERTED: invert,
}

Reader = Callable[[], Pixels]
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenGate:
    """The served models and the published limits, as the gateway combines them."""

    classifier: onnxruntime.InferenceSession
    segmenter: onnxruntime.InferenceSession | None
    presentations: Sequence[str]
    limits: GateLimits

    def judge(self, readers: Sequence[Reader]) -> list[tuple[Quality, float]]:
        """Judge pictures: the verdict and the classifier's `ood_score`."""
        scores, shares = self._run(self.classifier, readers, ["ood_score", "presentation"])
        masks = [None] * len(readers) if self.segmenter is None else self._run(self.segmenter, readers, ["mask"])[0]
        return [
            (assess(float(score[0]), dict(zip(self.presentations, share.tolist(), strict=True)), mask, self.limits),
             float(score[0]))
            for score, share, mask in zip(scores, shares, masks, strict=True)
        ]  # fmt: skip

    @staticmethod
    def _run(
        session: onnxruntime.InferenceSession, readers: Sequence[Reader], names: list[str]
    ) -> list[NDArray[np.float32]]:
        side = session.get_inputs()[0].shape[1]
        answers = [session.run(names, {"image": images}) for images in model_inputs(readers, side)]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def evaluate_gate(run: Path, data: Path, segmenter: Path | None = None) -> Figures:
    """Measure the gate of a converted run and write `evaluation-gate.json` and the same as Markdown.

    Parameters
    ----------
    run
        The run folder, with `model.onnx` and `decision.json`.
    data
        The data set.
    segmenter
        The lung segmenter's ONNX file, with its `plausible_lungs.json` beside it; None to judge by `ood_score` alone.

    Raises
    ------
    FileNotFoundError
        The run is not converted, or the segmenter has no plausible lungs beside it.
    ValueError
        The decision in the run folder belongs to another model.
    """
    decision = json.loads((run / "decision.json").read_text())
    require_current(run, decision, "decision.json")
    gate = open_gate(run, decision, segmenter)
    figures = {
        "limits": decision["ood_limits"],
        "rule": decision["ood_rule"],
        "presentations": decision["presentations"],
        "out_of_fold": decision["ood_out_of_fold"],
        "radiographs": _TRAINED_ON if read_plan(run).fold is None else _UNSEEN,
        "must_pass": _measure(gate, _must_pass(run, data)),
        "must_be_named": _measure(gate, _must_be_named(run, data)),
        "must_be_refused": _measure(gate, pictures_of_no_chest(data)),
        **hashes(run, "model.onnx"),
        "lung_segmenter_sha256": sha256_of(segmenter) if segmenter else None,
    }
    write_json(run / f"{GATE_EVALUATION}.json", figures)
    (run / f"{GATE_EVALUATION}.md").write_text(gate_report(figures))
    return figures


def open_gate(run: Path, decision: Mapping[str, Any], segmenter: Path | None) -> OpenGate:
    """Open the models of a run and the limits in its decision."""
    limits = decision["ood_limits"]
    lungs = json.loads((segmenter.parent / "plausible_lungs.json").read_text()) if segmenter else None
    open_model = partial(onnxruntime.InferenceSession, providers=["CPUExecutionProvider"])
    return OpenGate(
        open_model(str(run / "model.onnx")),
        open_model(str(segmenter)) if segmenter else None,
        decision["presentations"],
        GateLimits(limits["unlike"], limits["refuse"], tuple(lungs["area"]), lungs["uncertainty"])
        if lungs
        else GateLimits(limits["unlike"], limits["refuse"]),
    )


def _must_pass(run: Path, data: Path) -> dict[str, list[Reader]]:
    """Take the official val images, and some radiographs disturbed: unseen ones if the run has held out any."""
    val = [example.path for example in read_split(data, "val")]
    paths = [*val, *(example.path for example in _some_radiographs(run, data))]
    disturbed = {name: _changed(paths, change) for name, change in {**FITTED, **UNSEEN}.items()}
    return {"official val images": _changed(val, keep), **disturbed}


def _must_be_named(run: Path, data: Path) -> dict[str, list[Reader]]:
    paths = [example.path for example in _some_radiographs(run, data)]
    derived = {name: _changed(paths, change) for name, change in _DERIVED.items()}
    return {**derived, LATERAL: _changed(sorted((data / LATERAL_FOLDER).glob("*.jpeg")), keep)}


def _some_radiographs(run: Path, data: Path) -> list[Example]:
    """Draw from those that chose no limit; ones that neither network nor gate has seen, if the run held out any."""
    kept, held_out = split_examples(read_plan(run), data)
    radiographs = [example for example in held_out or kept if measures(example.patient)]
    generator = np.random.default_rng(0)
    chosen: list[Example] = []
    for population in dict.fromkeys(example.population for example in radiographs):
        members = [example for example in radiographs if example.population == population]
        chosen += [members[i] for i in generator.permutation(len(members))[:_OF_EACH_POPULATION]]
    return chosen


def _changed(paths: Sequence[Path], change: Change) -> list[Reader]:
    return [partial(_read, path, change) for path in paths]


def _read(path: Path, change: Change) -> Pixels:
    return change(read_pixels(path))


def _measure(gate: OpenGate, kinds: Mapping[str, Sequence[Reader]]) -> dict[str, Figures]:
    return {kind: _count(kind, gate, gate.judge(readers)) for kind, readers in kinds.items() if readers}


def _count(kind: str, gate: OpenGate, verdicts: Sequence[tuple[Quality, float]]) -> Figures:
    scores = np.array([score for _, score in verdicts])
    warnings = [warning for quality, _ in verdicts for warning in quality.warnings]
    return {
        "images": len(verdicts),
        "refused": sum(not quality.is_chest_xray for quality, _ in verdicts),
        "refused_by_score_alone": int((scores > gate.limits.refuse).sum()),
        UNLIKE_TRAINING_DATA: warnings.count(UNLIKE_TRAINING_DATA),
        LUNGS_NOT_FOUND: warnings.count(LUNGS_NOT_FOUND) if gate.segmenter else None,
        "named": {name: warnings.count(name) for name in gate.presentations if name in warnings},
        "score": [round(float(value), 3) for value in (scores.min(), np.median(scores), scores.max())],
        "seen_while_choosing": kind in CHOSEN_WITH,
    }


def gate_report(figures: Mapping[str, Any]) -> str:
    """Write figures as Markdown, for people."""
    limits = figures["limits"]
    parts = [
        "# Input gate",
        f"`ood_score` over {limits['unlike']} is unlike the training data, over {limits['refuse']} no chest "
        f"radiograph. Rule: {figures['rule']}.",
        f"{_HALVES[figures['radiographs']]} {_CHOSEN_BY_EYE}",
        "## Radiographs of patients who chose no limit, judged by a gate fitted without them",
        _table(figures["out_of_fold"], ("images", "refused", "unlike", "named_so", "largest_score")),
        "## Must pass: radiographs changed in ways that leave them readable",
        f"The official val images, and up to {_OF_EACH_POPULATION} radiographs of each population that the network has "
        f"{figures['radiographs']}, of patients who chose no limit. The gate is fitted to training radiographs that "
        f"were changed in these ways: {'; '.join(FITTED)}.",
        _table(figures["must_pass"], _COLUMNS),
        "## Must be named, not refused",
        _table(figures["must_be_named"], _COLUMNS),
        "## Must be refused: kinds that chose nothing",
        _table(_of(figures["must_be_refused"], seen=False), _COLUMNS),
        "## Must be refused: kinds seen while layers, method and limits were chosen",
        _table(_of(figures["must_be_refused"], seen=True), _COLUMNS),
    ]
    return "\n\n".join(parts) + "\n"


_HALVES = {
    _UNSEEN: "The gate is fitted to radiographs that the network was trained on. Of the patients that neither network "
    "nor gate has seen, one half chose the limits; all radiographs counted here are of the other half or of the "
    "official val split.",
    _TRAINED_ON: "Network and gate are fitted to all radiographs of the training split. Each fifth of the patients was "
    "judged by a gate fitted to the others; one half of the patients chose the limits, the first table counts the "
    "other half. The radiographs of the further tables, but for the official val images, have been fitted.",
}
_CHOSEN_BY_EYE = (
    "The factor between the limits was set with disturbed radiographs of the half that chose and with the kinds of the "
    "last table in view. The lateral views are few and have all been fitted, so their row says little."
)
_COLUMNS = ("images", "refused", "refused_by_score_alone", UNLIKE_TRAINING_DATA, LUNGS_NOT_FOUND, "named", "score")


def _of(rows: Mapping[str, Figures], seen: bool) -> dict[str, Figures]:
    return {kind: row for kind, row in rows.items() if row["seen_while_choosing"] is seen}


def _table(rows: Mapping[str, Figures], columns: Sequence[str]) -> str:
    head = f"| kind | {' | '.join(column.replace('_', ' ') for column in columns)} |"
    lines = [f"| {kind} | {' | '.join(_cell(row[column]) for column in columns)} |" for kind, row in rows.items()]
    return "\n".join([head, "|---|" + "---:|" * len(columns), *lines])


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    if isinstance(value, list):
        return f"{value[0]} to {value[2]}, median {value[1]}"
    return "" if value is None else str(value)
