"""Holds a model repository against the model contract, and each configuration against its ONNX files.

The rules are in `check_config` and `check_onnx`. Every one of them runs, so that one call shows all that is to mend.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from tritonclient.grpc.model_config_pb2 import DataType

from serving.check_config import CONFIG_RULES, Model, check_labels, one_line, read_model_folder
from serving.check_onnx import ONNX_RULES, Version
from serving.repository import CONFIG_NAME, ONNX_NAME, RepositoryError, enum_name, model_folders

CARD_NAME = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `file` is relative to the repository."""

    file: str
    field: str
    message: str

    def __str__(self) -> str:
        """Give the finding as one line."""
        return f"{self.file}: {self.field}: {self.message}"


def main(repository: Path) -> int:
    """Print every finding, or one line per model when there is none, and return the exit status."""
    findings = check_repository(repository)
    for line in findings or _summary(repository):
        print(line)
    return 1 if findings else 0


def check_repository(repository: Path) -> list[Finding]:
    """Find everything that is wrong with a repository."""
    try:
        folders = model_folders(repository)
    except RepositoryError as error:
        return [_finding_of(error, repository)]
    return [finding for folder in folders for finding in _check_model(folder)]


def _check_model(folder: Path) -> Iterator[Finding]:
    try:
        model = read_model_folder(folder)
    except RepositoryError as error:
        yield _finding_of(error, folder.parent)
        return
    yield from (Finding(f"{folder.name}/{CONFIG_NAME}", *fault) for rule in CONFIG_RULES for fault in rule(model))
    yield from (Finding(f"{folder.name}/{file}", field, message) for file, field, message in check_labels(model))
    if not (folder / CARD_NAME).is_file():
        yield Finding(f"{folder.name}/{CARD_NAME}", "file", "Every model must have a card. Received: no such file")
    for version in model.versions:
        yield from _check_version(model, version)


def _check_version(model: Model, number: str) -> Iterator[Finding]:
    file = model.folder / number / ONNX_NAME
    name = file.relative_to(model.folder.parent).as_posix()
    try:
        # External data is reported by a rule, so it need not be there.
        version = Version(model, file, onnx.load(file, load_external_data=False))
    except (OSError, DecodeError) as error:
        yield Finding(name, "file", f"Must be a readable ONNX model. Received: {one_line(error)}")
        return
    yield from (Finding(name, *fault) for rule in ONNX_RULES for fault in rule(version))


def _finding_of(error: RepositoryError, repository: Path) -> Finding:
    file = Path(error.file)
    inside = file.is_relative_to(repository) and file != repository
    return Finding((file.relative_to(repository) if inside else file).as_posix(), error.field, one_line(error.problem))


def _summary(repository: Path) -> Iterator[str]:
    for model in map(read_model_folder, model_folders(repository)):
        tensors = (*model.config.input, *model.config.output)
        signature = "; ".join(f"{t.name} {enum_name(DataType, t.data_type)} {list(t.dims)}" for t in tensors)
        yield f"{model.folder.name}: ok: version {', '.join(model.versions)}; {signature}"
