"""What a run of the lung segmenter gives to its publication."""

import json
from pathlib import Path
from typing import Any

from export.lungs.train import ARCHITECTURE, read_lung_plan
from export.release.contents import ReleaseContents, read_current
from export.release.model_card import figures_table
from export.release.provenance import sha256_of

_AUGMENTATION = (
    "rotation, shift, zoom, stretch of radiograph and mask together; blur, histogram equalisation, gamma, contrast, "
    "brightness, shading and noise of the radiograph; no flips, because the heart is on one side"
)


def is_lung_run(run: Path) -> bool:
    """Tell whether a run folder holds a lung segmenter."""
    return bool(json.loads((run / "plan.json").read_text())["architecture"] == ARCHITECTURE)


def lung_contents(run: Path) -> ReleaseContents:
    """Gather what is published of a run.

    The network that is measured on the held-out patients is itself the one that is published.

    Raises
    ------
    FileNotFoundError
        The run was not converted and evaluated.
    ValueError
        Its figures or its limits belong to other files than it holds.
    """
    read_current(run, "conversion.json")
    limits = read_current(run, "plausible_lungs.json")
    facts = json.loads((run / "training_data.json").read_text())
    record: dict[str, Any] = {
        "architecture": ARCHITECTURE,
        "labels": None,
        "decision_threshold": None,
        "indeterminate_band": None,
        "threshold_policy": None,
        "prevalence": None,
        "sha256": sha256_of(run / "model.onnx"),
        "training_data": _training_data(facts),
        "evaluation": {"held_out": read_current(run, "evaluation-held_out.json")},
        "plausible_lungs": {key: limits[key] for key in ("area", "uncertainty")},
    }
    plan = read_lung_plan(run)
    card_facts = {
        "image_size": plan.image_size,
        "epochs": plan.epochs,
        "augmentation": _AUGMENTATION,
        "no_chest_percent": round(100 * plan.no_chest_share),
        "held_out_images": facts["held_out_images"],
        "held_out_patients": facts["held_out_patients"],
        "children": f"{limits['children']:,}",
        "adults": f"{limits['adults']:,}",
        "area_lowest": limits["area"][0],
        "area_highest": limits["area"][1],
        "uncertainty_highest": limits["uncertainty"],
        "figures": figures_table(record["evaluation"]),
    }
    return ReleaseContents(record, card_facts, "evaluation-held_out.png")


def _training_data(facts: dict[str, Any]) -> str:
    return (
        "Kermany, Zhang, Goldbaum 2018 (doi:10.17632/rscbjbr9sj), paediatric chest radiographs, with lung masks of the "
        f"V7 Labs COVID-19 X-ray annotations (CC BY 4.0): {facts['images']:,} images of {facts['patients']:,} patients"
    )
