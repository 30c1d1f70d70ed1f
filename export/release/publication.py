"""Writes a converted model into the Triton model repository, with all that the model contract asks for."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from export.explainable.release import CLASSIFIER_EXPLAIN, explainable_contents
from export.lungs.release import is_lung_run, lung_contents
from export.release.classifier import classifier_contents
from export.release.contents import ReleaseContents
from export.release.model_card import model_card

MAX_BATCH_SIZE = 64
_QUEUE_TIMEOUT_US = 20_000_000  # under the gateway's default deadline, so that the server gives up first
_ELEMENT_TYPES: Mapping[int, triton.DataType] = {
    onnx.TensorProto.UINT8: triton.DataType.TYPE_UINT8,
    onnx.TensorProto.FLOAT: triton.DataType.TYPE_FP32,
    onnx.TensorProto.INT64: triton.DataType.TYPE_INT64,
}
_CONFIG_FILE = "config.pbtxt"
_LABELS_OUTPUT, _LABELS_FILE = "probabilities", "labels.txt"


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


def publish(run: Path, release: Release) -> None:
    """Write `<model>/<version>/model.onnx`, `config.pbtxt`, labels and MODEL_CARD.md.

    Earlier versions stay; the configuration keeps their entries in `release`. Everything is gathered and held against
    each other before anything is written, and the configuration, which makes a version known, is written last: a
    publication that failed can be tried again.

    Raises
    ------
    FileExistsError
        This version was published before; what has been served under a number never changes.
    FileNotFoundError
        The run was not converted, or not evaluated: a classifier on the test split, a lung segmenter on the
        patients it has not seen; or the classifier was not made explainable.
    ValueError
        Figures were measured on other files than the run holds.
    """
    published = _published_records(release.folder / _CONFIG_FILE)
    if str(release.version) in published:
        raise FileExistsError(f"A version is published once: raise the number. Received: version={release.version}")
    _write(release, _gather(run, release, published))


def _gather(run: Path, release: Release, published: Mapping[str, Any]) -> dict[str, bytes]:
    """Map each file's path in the model's folder to its content, in the order in which to write."""
    contents = _contents(run, release.name)
    record = contents.record
    model = (run / contents.model).read_bytes()
    config = model_config(release.name, onnx.load_from_string(model), {**published, str(release.version): record})
    labels = {_LABELS_FILE: "\n".join([*record["labels"], ""]).encode()} if record["labels"] else {}
    return {
        f"{release.version}/model.onnx": model,
        **labels,
        contents.picture: (run / contents.picture).read_bytes(),
        "MODEL_CARD.md": model_card(release.name, release.version, model, contents).encode(),
        _CONFIG_FILE: text_format.MessageToString(config).encode(),
    }


def _contents(run: Path, name: str) -> ReleaseContents:
    if is_lung_run(run):
        return lung_contents(run)
    return explainable_contents(run) if name == CLASSIFIER_EXPLAIN else classifier_contents(run)


def _write(release: Release, files: Mapping[str, bytes]) -> None:
    release.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".publishing-", dir=release.folder) as staging:
        for path, content in files.items():
            (Path(staging) / path).parent.mkdir(exist_ok=True)
            (Path(staging) / path).write_bytes(content)
        shutil.rmtree(release.folder / str(release.version), ignore_errors=True)  # left by a publication that failed
        for name in dict.fromkeys(Path(path).parts[0] for path in files):
            os.replace(Path(staging) / name, release.folder / name)


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
