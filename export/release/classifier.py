"""What a run of a classifier or of the gradient model gives to its publication."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.data.examples import ADULTS, CHILDREN, LABELS
from export.release.contents import ReleaseContents, read_current
from export.release.model_card import training_facts
from export.release.provenance import sha256_of
from export.training.plan import read_plan

_EVALUATIONS = ("held_out", "test")


def classifier_contents(run: Path) -> ReleaseContents:
    """Gather what is published of a run of a classifier or of the gradient model.

    Raises
    ------
    FileNotFoundError, ValueError
        As `release_record`.
    """
    record = release_record(run)
    return ReleaseContents(record, training_facts(run, record), "evaluation-test.png")


def release_record(run: Path) -> dict[str, Any]:
    """Gather what the gateway, the card and an auditor need to know of a version of a classifier.

    Raises
    ------
    FileNotFoundError
        Figures are missing.
    ValueError
        Its figures or its decision belong to other files than the run holds, or it was converted without the gate.
    """
    plan = read_plan(run)
    decision = read_current(run, "decision.json") if (run / "decision.json").is_file() else {}
    if decision and "ood_limits" not in decision:
        raise ValueError(
            f"A classifier is published with its input gate; convert it with one. Received: run={run.name}"
        )
    return {
        "architecture": plan.architecture,
        "labels": list(LABELS) if decision else None,
        "decision_threshold": decision.get("decision_threshold"),
        "indeterminate_band": decision.get("indeterminate_band"),
        "threshold_policy": decision.get("policy"),
        "prevalence": decision.get("prevalence"),
        "presentations": decision.get("presentations"),
        "ood_limits": decision.get("ood_limits"),
        "sha256": sha256_of(run / "model.onnx"),
        "training_data": _training_data(json.loads((run / "training_data.json").read_text()), plan.image_size),
        "evaluation": {split: read_current(run, f"evaluation-{split}.json") for split in _EVALUATIONS},
    }


def _training_data(facts: Mapping[str, Any], image_size: int) -> str:
    children = facts["populations"].get(CHILDREN)
    adults = facts["populations"].get(ADULTS)
    sources = [
        _source("Kermany, Zhang, Goldbaum 2018 (doi:10.17632/rscbjbr9sj), paediatric chest radiographs", children),
        _source("NIH ChestX-ray14 (Wang et al. 2017), radiographs of mostly adults, labels mined from reports", adults),
    ]
    return "; ".join(
        [
            *filter(None, sources),
            f"files of {' to '.join(facts['file_sizes'])} pixels, resized to {image_size} x {image_size}",
            *([f"{facts['held_out_images']:,} other images were held out"] if facts["held_out_images"] else []),
        ]
    )


def _source(name: str, count: Mapping[str, int] | None) -> str:
    return f"{name}: {count['images']:,} images of {count['patients']:,} patients" if count else ""
