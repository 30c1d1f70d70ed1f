"""Reading of `model_repository/`, the folder that Triton and the embedded backend both serve.

Configurations are parsed as Triton's own ModelConfig message, so that what is read here is what Triton reads.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from serving.backend import ModelSpec, TensorSpec

CONFIG_NAME = "config.pbtxt"
ONNX_NAME = "model.onnx"

NUMPY_NAMES: Mapping[str, str] = {
    "TYPE_BOOL": "bool",
    "TYPE_UINT8": "uint8",
    "TYPE_UINT16": "uint16",
    "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64",
    "TYPE_INT8": "int8",
    "TYPE_INT16": "int16",
    "TYPE_INT32": "int32",
    "TYPE_INT64": "int64",
    "TYPE_FP16": "float16",
    "TYPE_FP32": "float32",
    "TYPE_FP64": "float64",
    "TYPE_BF16": "bfloat16",
    "TYPE_STRING": "object",
}


class RepositoryError(Exception):
    """A model repository that cannot be served as it is.

    `file` and `field` say where, `problem` says what was expected and received.
    """

    def __init__(self, file: Path | str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}")
        self.file = str(file)
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One model of a repository at the version that is served.

    `labels` holds the names of an output's elements, for each output that has a labels file.
    """

    spec: ModelSpec
    onnx_file: Path
    labels: Mapping[str, tuple[str, ...]]


def read_repository(repository: Path) -> tuple[PublishedModel, ...]:
    """Read every model of a repository, sorted by name.

    Raises
    ------
    RepositoryError
        There is no model, or the first one that is wrong.
    """
    return tuple(read_model(folder) for folder in model_folders(repository))


def model_folders(repository: Path) -> list[Path]:
    """List the folders that hold a model each, sorted by name.

    Raises
    ------
    RepositoryError
        There is none.
    """
    if not repository.is_dir():
        raise RepositoryError(repository, "folder", "The model repository must be a folder. Received: no such folder")
    folders = sorted(path for path in repository.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise RepositoryError(repository, "folder", "The repository must hold at least one model. Received: none")
    return folders


def read_model(folder: Path) -> PublishedModel:
    """Read one model of a repository at its newest version.

    Raises
    ------
    RepositoryError
        The configuration is missing or wrong, or there is no version.
    """
    file = folder / CONFIG_NAME
    config = read_config(file)
    if config.name != folder.name:
        raise RepositoryError(file, "name", f"Must be the folder's name, {folder.name!r}. Received: {config.name!r}")
    version = served_version(config, version_folders(folder), file)
    return PublishedModel(
        spec=spec_of(config, version, file),
        onnx_file=folder / version / ONNX_NAME,
        labels={o.name: read_labels(folder / o.label_filename) for o in config.output if o.label_filename},
    )


def read_config(file: Path) -> ModelConfig:
    """Parse a `config.pbtxt`.

    Raises
    ------
    RepositoryError
        The file is missing or is no ModelConfig; then `field` is the line.
    """
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), ModelConfig())
    except (OSError, UnicodeDecodeError) as error:
        raise RepositoryError(file, "file", f"The file must be readable text. Received: {error}") from error
    except text_format.ParseError as error:
        raise RepositoryError(
            file, f"line {error.GetLine()}", f"Must be a Triton ModelConfig. Received: {error}"
        ) from error


def version_folders(folder: Path) -> list[str]:
    """List a model's versions, oldest first. Triton ignores folders whose name is no number, or starts with 0."""
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted((name for name in names if name.isdecimal() and not name.startswith("0")), key=int)


def served_version(config: ModelConfig, versions: Sequence[str], file: Path | str) -> str:
    """Find the version that Triton serves under its default policy, the newest one alone.

    Raises
    ------
    RepositoryError
        There is no version, or the policy is another one.
    """
    if config.HasField("version_policy") and config.version_policy.latest.num_versions != 1:
        raise RepositoryError(file, "version_policy", f"Must be absent or latest 1. Received: {config.version_policy}")
    if not versions:
        raise RepositoryError(file, "version", "The model must have a version folder, such as 1. Received: none")
    return versions[-1]


def spec_of(config: ModelConfig, version: str, source: Path | str) -> ModelSpec:
    """Turn a model's configuration into what the gateway knows of it.

    A configuration without the parameter `release` gives an empty release: a model server may hold other
    people's models as well.

    Parameters
    ----------
    config
        Triton's ModelConfig message, from a file or from the ModelConfig call.
    version
        The version that is served.
    source
        Where the message comes from, for the error.

    Raises
    ------
    RepositoryError
        A tensor's type or the release is wrong.
    """
    return ModelSpec(
        name=str(config.name),
        version=version,
        inputs=_tensor_specs(config.input, "input", source),
        outputs=_tensor_specs(config.output, "output", source),
        max_batch_size=int(config.max_batch_size),
        release=_release_of(config, version, source),
    )


def read_labels(file: Path) -> tuple[str, ...]:
    """Read a labels file: one label a line, in the order of the output's elements.

    Raises
    ------
    RepositoryError
        The file cannot be read.
    """
    try:
        return tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise RepositoryError(file, "file", f"The file must be readable text. Received: {error}") from error


def read_releases(config: ModelConfig, source: Path | str) -> Mapping[str, Any]:
    """Read the parameter `release`: what was recorded about each version, keyed by version.

    Raises
    ------
    RepositoryError
        The parameter is not a JSON object.
    """
    text = config.parameters["release"].string_value if "release" in config.parameters else "{}"
    try:
        releases = json.loads(text)
    except json.JSONDecodeError as error:
        raise RepositoryError(source, "parameters[release]", f"Must be JSON. Received: {error}") from error
    if not isinstance(releases, dict):
        raise RepositoryError(source, "parameters[release]", f"Must be a JSON object. Received: {text[:40]}")
    return releases


def enum_name(enum: EnumTypeWrapper, number: int) -> str:
    """Name a value of an enumeration; a newer server or file may hold a number that ours lacks."""
    return str(enum.Name(number)) if number in enum.values() else str(number)


def _tensor_specs(tensors: Iterable[Any], kind: str, source: Path | str) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=str(tensor.name),
            dtype=_numpy_name(tensor.data_type, f"{kind}[{tensor.name}].data_type", source),
            shape=tuple(int(size) for size in tensor.dims),
        )
        for tensor in tensors
    )


def _numpy_name(data_type: int, field: str, source: Path | str) -> str:
    name = enum_name(DataType, data_type)
    if name not in NUMPY_NAMES:
        raise RepositoryError(source, field, f"Must be one of {', '.join(NUMPY_NAMES)}. Received: {name}")
    return NUMPY_NAMES[name]


def _release_of(config: ModelConfig, version: str, source: Path | str) -> Mapping[str, Any]:
    releases = read_releases(config, source)
    if "release" not in config.parameters:
        return {}
    if not isinstance(releases.get(version), dict):
        problem = f"Must have an object for version {version}. Received: {sorted(releases)}"
        raise RepositoryError(source, f"parameters[release].{version}", problem)
    return dict(releases[version])
