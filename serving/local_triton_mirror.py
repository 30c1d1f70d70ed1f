"""A copy of a model repository that Triton's Python backend can serve.

Every model keeps its configuration, labels, warm-up data and versions; a version becomes a small `model.py` beside a
link to the original ONNX file.
"""

import shutil
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from serving.repository import CONFIG_NAME, ONNX_NAME, model_folders, read_config, version_folders

MODEL = Path(__file__).with_name("local_triton_model.py")


def mirror(repository: Path, target: Path) -> None:
    """Mirror a repository into a new folder.

    Raises
    ------
    serving.repository.RepositoryError
        There is no model, or a `config.pbtxt` cannot be read.
    """
    for folder in model_folders(repository):
        _mirror_model(folder, target / folder.name)


def _mirror_model(source: Path, target: Path) -> None:
    config = read_config(source / CONFIG_NAME)
    versions = version_folders(source)
    target.mkdir(parents=True)
    for version in versions:
        _mirror_version(source / version / (config.default_model_filename or ONNX_NAME), target / version)
    for entry in source.iterdir():
        if entry.name not in (CONFIG_NAME, *versions):
            (target / entry.name).symlink_to(entry.resolve())
    _adapt(config)
    (target / CONFIG_NAME).write_text(text_format.MessageToString(config), encoding="utf-8")


def _mirror_version(onnx_file: Path, target: Path) -> None:
    target.mkdir()
    shutil.copyfile(MODEL, target / "model.py")
    (target / ONNX_NAME).symlink_to(onnx_file.resolve())


def _adapt(config: ModelConfig) -> None:
    """Make a configuration one for the Python backend on CPU; the rest stays as it is."""
    config.backend = "python"
    for field in ("platform", "runtime", "default_model_filename", "cc_model_filenames"):
        config.ClearField(field)
    for group in config.instance_group:
        group.kind = ModelInstanceGroup.KIND_CPU
        group.ClearField("gpus")
