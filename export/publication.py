"""Writes a converted model into the Triton model repository, with all that the model contract asks for."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import onnx
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from export.data import LABELS
from export.training import read_plan

MAX_BATCH_SIZE = 64
_QUEUE_TIMEOUT_US = 20_000_000  # under the gateway's default deadline, so that the server gives up first
_CARDS = Path(__file__).parent / "model_cards"
_TRAINING_DATA = (
    "Kermany, Zhang, Goldbaum 2018 (doi:10.17632/rscbjbr9sj), paediatric chest radiographs, official training split: "
    "5,216 images of 3,654 patients, resized to 224 x 224"
)
_ELEMENT_TYPES: Mapping[int, triton.DataType] = {
    onnx.TensorProto.UINT8: triton.DataType.TYPE_UINT8,
    onnx.TensorProto.FLOAT: triton.DataType.TYPE_FP32,
}
_LABELS_OUTPUT, _LABELS_FILE = "probabilities", "labels.txt"
_PICTURE = "evaluation-test.png"


@dataclass(frozen=True, slots=True)
class Release:
    """Where a model goes in the repository."""

    repository: Path
    name: str
    version: int

    @property
    def folder(self) -> Path:
        """Folder of the model."""
        return self.repository / self.name

    @property
    def model(self) -> Path:
        """File of this version."""
        return self.folder / str(self.version) / "model.onnx"


def publish(run: Path, release: Release) -> None:
    """Write `<model>/<version>/model.onnx`, `config.pbtxt`, labels and MODEL_CARD.md.

    Earlier versions stay; the configuration keeps their entries in `release`.

    Raises
    ------
    FileExistsError
        This version was published before; what has been served under a number never changes.
    """
    if release.model.exists():
        raise FileExistsError(f"A version is published once: raise the number. Received: version={release.version}")
    release.model.parent.mkdir(parents=True)
    shutil.copyfile(run / "model.onnx", release.model)
    record = release_record(run)
    records = {**_published_records(release.folder / "config.pbtxt"), str(release.version): record}
    config = model_config(release.name, onnx.load(release.model), records)
    (release.folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    if record["labels"]:
        (release.folder / _LABELS_FILE).write_text("\n".join(record["labels"]) + "\n")
    (release.folder / "MODEL_CARD.md").write_text(_model_card(release, record))
    if (run / _PICTURE).is_file():
        shutil.copyfile(run / _PICTURE, release.folder / _PICTURE)


def release_record(run: Path) -> dict[str, Any]:
    """Gather what the gateway, the card and an auditor need to know of a version."""
    decision = _read_json(run / "decision.json")
    return {
        "architecture": read_plan(run).architecture,
        "labels": list(LABELS) if decision else None,
        "decision_threshold": decision.get("decision_threshold"),
        "indeterminate_band": decision.get("indeterminate_band"),
        "threshold_policy": decision.get("policy"),
        "sha256": sha256_of(run / "model.onnx"),
        "training_data": _TRAINING_DATA,
        "evaluation": {
            split: _read_json(run / f"evaluation-{split}.json")
            for split in ("held_out", "test")
            if (run / f"evaluation-{split}.json").is_file()
        },
    }


def model_config(name: str, model: onnx.ModelProto, records: Mapping[str, Any]) -> triton.ModelConfig:
    """Describe a model to Triton: tensors from the ONNX file, queueing from the model contract."""
    config = triton.ModelConfig(name=name, backend="onnxruntime", max_batch_size=MAX_BATCH_SIZE)
    for value in model.graph.input:
        config.input.append(triton.ModelInput(name=value.name, data_type=_type(value), dims=_dims(value)))
    for value in model.graph.output:
        output = triton.ModelOutput(name=value.name, data_type=_type(value), dims=_dims(value))
        output.label_filename = _LABELS_FILE if value.name == _LABELS_OUTPUT else ""
        config.output.append(output)
    # KIND_AUTO takes a GPU when there is one; a second instance on a CPU would halve the speed.
    config.instance_group.append(triton.ModelInstanceGroup(kind=triton.ModelInstanceGroup.KIND_AUTO, count=1))
    config.dynamic_batching.CopyFrom(_dynamic_batching())
    config.model_warmup.append(_warmup(model))
    config.parameters["release"].string_value = json.dumps(records)
    return config


def sha256_of(path: Path) -> str:
    """Hash a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dynamic_batching() -> triton.ModelDynamicBatching:
    """Priority 1 is for predictions, 2 for explanations; a full queue or a late request is refused, not kept."""
    policy = triton.ModelQueuePolicy(
        timeout_action=triton.ModelQueuePolicy.REJECT,
        default_timeout_microseconds=_QUEUE_TIMEOUT_US,
        allow_timeout_override=True,
        max_queue_size=256,
    )
    batching = triton.ModelDynamicBatching(priority_levels=2, default_priority_level=1, default_queue_policy=policy)
    for level in (1, 2):
        batching.priority_queue_policy[level].CopyFrom(policy)
    return batching


def _warmup(model: onnx.ModelProto) -> triton.ModelWarmup:
    warmup = triton.ModelWarmup(name="black image", batch_size=1)
    for value in model.graph.input:
        warmup.inputs[value.name].CopyFrom(
            triton.ModelWarmup.Input(data_type=_type(value), dims=_dims(value), zero_data=True)
        )
    return warmup


def _type(value: onnx.ValueInfoProto) -> triton.DataType:
    return _ELEMENT_TYPES[value.type.tensor_type.elem_type]


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim][1:]


def _published_records(config: Path) -> dict[str, Any]:
    if not config.is_file():
        return {}
    published = text_format.Parse(config.read_text(), triton.ModelConfig())
    records: dict[str, Any] = json.loads(published.parameters["release"].string_value)
    return records


def _model_card(release: Release, record: Mapping[str, Any]) -> str:
    template = Template((_CARDS / f"{release.name}.md").read_text())
    band = record["indeterminate_band"]
    return template.substitute(
        record,
        version=release.version,
        size_mib=f"{release.model.stat().st_size / 2**20:.1f}",
        band=f"{band[0]:.4f} to {band[1]:.4f}" if band else "none",
        figures=_figures_table(record["evaluation"]),
    )


def _figures_table(evaluation: Mapping[str, Mapping[str, Any]]) -> str:
    names = {"held_out": "held-out patients of the training split", "test": "public test images"}
    rows = list(next(iter(evaluation.values()), {}))
    lines = [
        "| figure | " + " | ".join(names[split] for split in evaluation) + " |",
        "|---|" + "---:|" * len(evaluation),
        *(f"| {row} | " + " | ".join(str(figures[row]) for figures in evaluation.values()) + " |" for row in rows),
    ]
    return "\n".join(lines)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return content
