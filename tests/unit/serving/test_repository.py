import json
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from serving.backend import ModelSpec, TensorSpec
from serving.repository import RepositoryError, read_config, read_model, read_repository, served_version, spec_of
from tests import tiny_repository as tiny


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tiny.build(tmp_path)


def replace_in_config(repository: Path, old: str, new: str) -> Path:
    file = repository / "classifier" / "config.pbtxt"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return file


def config_with_release(release: str) -> ModelConfig:
    config = ModelConfig(name="classifier", max_batch_size=64)
    config.parameters["release"].string_value = release
    return config


def test_reads_every_model_in_order(repository: Path) -> None:
    classifier, *others = read_repository(repository)
    names = (classifier.spec.name, *(model.spec.name for model in others))
    assert names == ("classifier", "classifier_explain", "lung_segmenter", "pixel_importance")
    assert classifier.spec.inputs == (TensorSpec("image", "uint8", (128, 128, 1)),)
    assert classifier.spec.release["decision_threshold"] == tiny.DECISION_THRESHOLD
    assert classifier.onnx_file == repository / "classifier" / "1" / "model.onnx"


def test_reads_labels_of_the_outputs_that_have_some(repository: Path) -> None:
    classifier, *others = read_repository(repository)
    assert classifier.labels == {"probabilities": ("NORMAL", "PNEUMONIA")}
    assert [model.labels for model in others] == [classifier.labels, {}, {}]


def test_serves_the_numerically_highest_version(repository: Path) -> None:
    folder = repository / "classifier"
    for name in ("9", "10", "02", "draft"):
        (folder / name).mkdir()
    release = json.dumps(json.dumps({"9": {"architecture": "nine"}, "10": {"architecture": "ten"}}))
    config = read_config(folder / "config.pbtxt")
    config.parameters["release"].string_value = json.loads(release)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    model = read_model(folder)
    assert (model.spec.version, model.spec.release) == ("10", {"architecture": "ten"})
    assert model.onnx_file == folder / "10" / "model.onnx"


def test_hidden_folders_and_files_are_no_models(repository: Path) -> None:
    (repository / ".cache").mkdir()
    (repository / "README.md").write_text("")
    names = [model.spec.name for model in read_repository(repository)]
    assert names == ["classifier", "classifier_explain", "lung_segmenter", "pixel_importance"]


def test_a_configuration_that_does_not_parse_names_file_and_line(repository: Path) -> None:
    file = replace_in_config(repository, "max_batch_size: 64", "max_batches: 64")
    with pytest.raises(RepositoryError, match="max_batches") as caught:
        read_repository(repository)
    assert (caught.value.file, caught.value.field) == (str(file), "line 3")


def test_a_missing_configuration_is_named(repository: Path) -> None:
    (repository / "classifier" / "config.pbtxt").unlink()
    with pytest.raises(RepositoryError, match=r"config\.pbtxt: file: "):
        read_repository(repository)


def test_a_name_that_is_not_the_folders_is_refused(repository: Path) -> None:
    replace_in_config(repository, 'name: "classifier"', 'name: "classy"')
    with pytest.raises(RepositoryError, match=r"name: Must be the folder's name, 'classifier'\. Received: 'classy'"):
        read_repository(repository)


def test_missing_labels_are_refused(repository: Path) -> None:
    (repository / "classifier" / "labels.txt").unlink()
    with pytest.raises(RepositoryError, match=r"labels\.txt: file: "):
        read_repository(repository)


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_a_repository_without_models_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RepositoryError, match=f"{folder}: folder: "):
        read_repository(tmp_path / folder)


def test_a_model_without_versions_is_refused() -> None:
    with pytest.raises(RepositoryError, match=r"version: .* Received: none"):
        served_version(ModelConfig(), [], "config.pbtxt")


@pytest.mark.parametrize("policy", ["all {}", "specific { versions: 1 }", "latest { num_versions: 2 }"])
def test_another_version_policy_than_the_newest_is_refused(policy: str) -> None:
    config = text_format.Parse(f"version_policy {{ {policy} }}", ModelConfig())
    with pytest.raises(RepositoryError, match="version_policy: "):
        served_version(config, ["1"], "config.pbtxt")


def test_the_newest_version_may_be_asked_for_explicitly() -> None:
    config = text_format.Parse("version_policy { latest { num_versions: 1 } }", ModelConfig())
    assert served_version(config, ["1", "2"], "config.pbtxt") == "2"


@pytest.mark.parametrize(
    ("triton_name", "numpy_name"), [("TYPE_FP16", "float16"), ("TYPE_INT64", "int64"), ("TYPE_BOOL", "bool")]
)
def test_types_are_told_by_their_numpy_names(triton_name: str, numpy_name: str) -> None:
    config = text_format.Parse(f'input {{ name: "x" data_type: {triton_name} dims: [-1, 3] }}', ModelConfig())
    assert spec_of(config, "1", "here").inputs == (TensorSpec("x", numpy_name, (-1, 3)),)


def test_a_tensor_without_a_type_is_refused() -> None:
    config = text_format.Parse('output { name: "x" dims: [3] }', ModelConfig())
    with pytest.raises(RepositoryError, match=r"here: output\[x\]\.data_type: .*Received: TYPE_INVALID"):
        spec_of(config, "1", "here")


def test_a_foreign_model_has_no_release() -> None:
    config = ModelConfig(name="foreign", max_batch_size=8)
    assert spec_of(config, "3", "here") == ModelSpec("foreign", "3", (), (), 8, {})
    assert "release" not in config.parameters


@pytest.mark.parametrize(
    ("release", "field", "problem"),
    [
        ("{", r"parameters\[release\]", "Must be JSON"),
        ("[1]", r"parameters\[release\]", "Must be a JSON object"),
        ('{"1": {}}', r"parameters\[release\]\.2", r"Received: \['1'\]"),
        ('{"2": "new"}', r"parameters\[release\]\.2", "Must have an object for version 2"),
    ],
)
def test_a_release_that_does_not_tell_of_the_version_is_refused(release: str, field: str, problem: str) -> None:
    with pytest.raises(RepositoryError, match=f"here: {field}: .*{problem}"):
        spec_of(config_with_release(release), "2", "here")
