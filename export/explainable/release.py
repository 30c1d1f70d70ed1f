"""What a run gives to the publication of its explainable classifier."""

from pathlib import Path

from export.explainable.build import EXPLAINABLE_FILE, EXPLAINABLE_PICTURE, EXPLAINABLE_RECORD
from export.release.classifier import release_record
from export.release.contents import ReleaseContents, read_current
from export.release.provenance import sha256_of
from export.training.plan import read_plan

CLASSIFIER_EXPLAIN = "classifier_explain"


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
    }
    scales = [f"| `{name}` | 0 to {scale} |" for name, scale in maps["map_scales"].items()]
    layers = [f"| `{each['output']}` | `{each['layer']}` | 0 to {each['scale']} |" for each in maps["features"]]
    card_facts = {
        "image_size": read_plan(run).image_size,
        "layer": maps["layer"],
        "scales": "\n".join(["| map | colours |", "|---|---:|", *scales]),
        "layers": "\n".join(["| features | layer | colours |", "|---|---|---:|", *layers]),
        "scale_rule": maps["scale_rule"],
        "scale_images": maps["scale_images"],
    }
    return ReleaseContents(record, card_facts, EXPLAINABLE_PICTURE, EXPLAINABLE_FILE)
