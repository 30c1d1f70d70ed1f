"""What a run gives to the publication of its explainable classifier."""

import json
from pathlib import Path

import onnx

from export.explainable.build import EXPLAINABLE_FILE, EXPLAINABLE_PICTURE, EXPLAINABLE_RECORD
from export.explainable.maps import GRAD_CAM
from export.release.classifier import release_record
from export.release.contents import ReleaseContents, read_current
from export.release.provenance import sha256_of
from export.training.plan import read_plan

CLASSIFIER_EXPLAIN = "classifier_explain"
MEASURED_EXPLANATIONS = "explanations.json"  # of `export evaluate-explanations`, put into the run folder

_SHARE = (
    " The head of this network averages that activation, so a value is the log-odds that its field contributes; what "
    "fields take away is cut off, and the constant of the head belongs to none."
)


def explainable_contents(run: Path) -> ReleaseContents:
    """Gather what is published: the record of the classifier, with the colour scales of the maps.

    `classifier_sha256` ties it to the classifier whose weights it shares; `sha256` is that of its own file.

    Raises
    ------
    FileNotFoundError
        The run was not converted, evaluated and made explainable.
    ValueError
        What was recorded belongs to other files than the run holds.
    """
    classifier, maps = release_record(run), read_current(run, EXPLAINABLE_RECORD)
    record = {
        **classifier,
        "sha256": sha256_of(run / EXPLAINABLE_FILE),
        "classifier_sha256": classifier["sha256"],
        "map_scales": maps["map_scales"],
        "features": maps["features"],
        "fails_randomisation": _failing(run, classifier["sha256"]),
    }
    scales = [f"| `{name}` | 0 to {scale} |" for name, scale in maps["map_scales"].items()]
    layers = [f"| `{each['output']}` | `{each['layer']}` | 0 to {each['scale']} |" for each in maps["features"]]
    plan = read_plan(run)
    card_facts = {
        "fields": _fields(run / EXPLAINABLE_FILE),
        "share": _SHARE if plan.head == "average" else "",
        "image_size": plan.image_size,
        "layer": maps["layer"],
        "scales": "\n".join(["| map | colours |", "|---|---:|", *scales]),
        "layers": "\n".join(["| features | layer | colours |", "|---|---|---:|", *layers]),
        "randomisation": _randomisation(record["fails_randomisation"]),
        "scale_rule": maps["scale_rule"],
        "scale_images": maps["scale_images"],
    }
    return ReleaseContents(record, card_facts, EXPLAINABLE_PICTURE, EXPLAINABLE_FILE)


def _fields(model: Path) -> str:
    """Read the size of the Grad-CAM map off the file."""
    (shape,) = (
        output.type.tensor_type.shape.dim
        for output in onnx.load(model, load_external_data=False).graph.output
        if output.name == GRAD_CAM
    )
    return f"{shape[1].dim_value} by {shape[2].dim_value}"


def _failing(run: Path, classifier: str) -> list[str] | None:
    """Name the methods whose maps hardly change with a network that has learned nothing; None if not measured."""
    file = run / MEASURED_EXPLANATIONS
    if not file.is_file():
        return None
    measured = json.loads(file.read_text())
    if measured["classifier_sha256"] != classifier:
        raise ValueError(f"{file.name} must be of the classifier in the run folder. Received: run={run.name}")
    return list(measured["fails_randomisation"])


def _randomisation(failing: list[str] | None) -> str:
    if failing is None:
        return "It has not been measured which maps depend on what the network has learned."
    names = ", ".join(f"`{name}`" for name in failing) or "none"
    return (
        "Maps that look much the same for a network with shuffled weights, and so say little of what it has learned: "
        f"{names} (`docs/explanations.md`)."
    )
