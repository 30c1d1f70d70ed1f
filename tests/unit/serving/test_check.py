"""Every rule of `python -m serving check`, broken once."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup, ModelQueuePolicy

from serving.__main__ import main
from serving.check import Finding, check_repository
from serving.repository import read_config
from tests import tiny_repository as tiny

CONFIG = "classifier/config.pbtxt"
MODEL = "classifier/1/model.onnx"
Mutation = Callable[[Path], object]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tiny.build(tmp_path / "model_repository")


def config(change: Callable[[Any], object]) -> Mutation:
    """Change the parsed configuration."""

    def mutate(repository: Path) -> None:
        message = read_config(repository / CONFIG)
        change(message)
        (repository / CONFIG).write_text(text_format.MessageToString(message))

    return mutate


def config_text(old: str, new: str) -> Mutation:
    def mutate(repository: Path) -> None:
        text = (repository / CONFIG).read_text()
        assert old in text
        (repository / CONFIG).write_text(text.replace(old, new))

    return mutate


def release(**changes: object) -> Mutation:
    """Change entries of the release of version 1; None leaves them out, ... makes them null."""

    def change(message: Any) -> None:
        parameter = message.parameters["release"]
        entry = json.loads(parameter.string_value)["1"] | changes
        kept = {key: None if value is ... else value for key, value in entry.items() if value is not None}
        parameter.string_value = json.dumps({"1": kept})

    return config(change)


def network(change: Callable[[onnx.ModelProto], object]) -> Mutation:
    """Change the ONNX model and let the release know its new hash."""

    def mutate(repository: Path) -> None:
        model = onnx.load(repository / MODEL)
        change(model)
        content = model.SerializeToString()
        (repository / MODEL).write_bytes(content)
        release(sha256=hashlib.sha256(content).hexdigest())(repository)

    return mutate


def write(name: str, content: bytes) -> Mutation:
    return lambda repository: (repository / name).write_bytes(content)


def remove(name: str) -> Mutation:
    return lambda repository: (repository / name).unlink()


def other_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 22


def other_domain(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)


def fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def other_size(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3


def other_type(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16


def novel_type(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.elem_type = 999


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Kast"


def external_weight(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.raw_data = onnx.numpy_helper.to_array(weight).tobytes()
    weight.ClearField("float_data")
    onnx.external_data_helper.set_external_data(weight, location="weights.bin")


def queue(field: str, value: int) -> Mutation:
    return config(lambda c: setattr(c.dynamic_batching.default_queue_policy, field, value))


def explanation_queue(c: Any) -> None:
    c.dynamic_batching.priority_queue_policy[2].default_timeout_microseconds = 1


def warmup(change: Callable[[Any], object]) -> Mutation:
    return config(lambda c: change(c.model_warmup[0]))


BATCHING = "dynamic_batching"
RELEASE = "parameters[release].1"
BROKEN: dict[str, tuple[Mutation, str, str]] = {
    "config missing": (remove(CONFIG), CONFIG, "file"),
    "config unparsable": (config_text("max_batch_size: 64", "max_batch_size: many"), CONFIG, "line 3"),
    "name": (config(lambda c: setattr(c, "name", "other")), CONFIG, "name"),
    "backend": (config(lambda c: setattr(c, "backend", "python")), CONFIG, "backend"),
    "file name": (
        config(lambda c: setattr(c, "default_model_filename", "a.onnx")),
        CONFIG,
        "default_model_filename",
    ),
    "small batches": (config(lambda c: setattr(c, "max_batch_size", 63)), CONFIG, "max_batch_size"),
    "version policy": (config(lambda c: c.version_policy.all.SetInParent()), CONFIG, "version_policy"),
    "no version": (lambda repository: shutil.rmtree(repository / "classifier" / "1"), CONFIG, "version"),
    "no batching": (config(lambda c: c.ClearField(BATCHING)), CONFIG, BATCHING),
    "one priority": (
        config(lambda c: setattr(c.dynamic_batching, "priority_levels", 1)),
        CONFIG,
        f"{BATCHING}.priority_levels",
    ),
    "no default priority": (
        config(lambda c: setattr(c.dynamic_batching, "default_priority_level", 0)),
        CONFIG,
        f"{BATCHING}.default_priority_level",
    ),
    "no queue size": (queue("max_queue_size", 0), CONFIG, f"{BATCHING}.default_queue_policy.max_queue_size"),
    "no queue timeout": (
        queue("default_timeout_microseconds", 0),
        CONFIG,
        f"{BATCHING}.default_queue_policy.default_timeout_microseconds",
    ),
    "queue delays": (
        queue("timeout_action", ModelQueuePolicy.DELAY),
        CONFIG,
        f"{BATCHING}.default_queue_policy.timeout_action",
    ),
    "queue without requests' deadlines": (
        queue("allow_timeout_override", False),
        CONFIG,
        f"{BATCHING}.default_queue_policy.allow_timeout_override",
    ),
    "explanations' queue without requests' deadlines": (
        config(explanation_queue),
        CONFIG,
        f"{BATCHING}.priority_queue_policy[2].allow_timeout_override",
    ),
    "explanations' queue": (
        config(explanation_queue),
        CONFIG,
        f"{BATCHING}.priority_queue_policy[2].max_queue_size",
    ),
    "no warm-up": (config(lambda c: c.ClearField("model_warmup")), CONFIG, "model_warmup"),
    "warm-up batch": (warmup(lambda w: setattr(w, "batch_size", 65)), CONFIG, "model_warmup[first].batch_size"),
    "warm-up name": (warmup(lambda w: w.inputs.pop("image")), CONFIG, "model_warmup[first].inputs"),
    "warm-up type": (
        warmup(lambda w: setattr(w.inputs["image"], "data_type", 11)),
        CONFIG,
        "model_warmup[first].inputs[image].data_type",
    ),
    "warm-up shape": (
        warmup(lambda w: w.inputs["image"].dims.append(3)),
        CONFIG,
        "model_warmup[first].inputs[image].dims",
    ),
    "needs a GPU": (
        config(lambda c: setattr(c.instance_group[0], "kind", ModelInstanceGroup.KIND_GPU)),
        CONFIG,
        "instance_group[0].kind",
    ),
    "names a GPU": (config(lambda c: c.instance_group[0].gpus.append(0)), CONFIG, "instance_group[0].gpus"),
    "no release": (config(lambda c: c.parameters.pop("release")), CONFIG, "parameters[release]"),
    "release not JSON": (config_text('string_value: "{', 'string_value: "'), CONFIG, "parameters[release]"),
    "release of another version": (config_text('"{\\"1\\"', '"{\\"2\\"'), CONFIG, RELEASE),
    "no architecture": (release(architecture=None), CONFIG, f"{RELEASE}.architecture"),
    "no labels": (release(labels=None), CONFIG, f"{RELEASE}.labels"),
    "no threshold": (release(decision_threshold=None), CONFIG, f"{RELEASE}.decision_threshold"),
    "threshold null alone": (release(decision_threshold=...), CONFIG, f"{RELEASE}.decision_threshold"),
    "threshold out of range": (release(decision_threshold=1.5), CONFIG, f"{RELEASE}.decision_threshold"),
    **{
        f"threshold {value}": (release(decision_threshold=value), CONFIG, f"{RELEASE}.decision_threshold")
        for value in (0, 1, -0.1, True, "0.4", [0.4], float("nan"))
    },
    "band null alone": (release(indeterminate_band=...), CONFIG, f"{RELEASE}.indeterminate_band"),
    **{
        f"band {value}": (release(indeterminate_band=value), CONFIG, f"{RELEASE}.indeterminate_band")
        for value in (
            0.4,
            [],
            [0.4],
            [0.3, 0.4, 0.5],
            ["0.3", "0.5"],
            [False, True],
            {"lower": 0.3, "upper": 0.5},
            [0.5, 0.3],
            [-0.1, 0.5],
            [0.3, 1.1],
            [0.41, 0.5],
            [0.3, 0.39],
            [float("nan"), 0.5],
            [0.3, float("nan")],
        )
    },
    "no band": (release(indeterminate_band=None), CONFIG, f"{RELEASE}.indeterminate_band"),
    "no hash": (release(sha256=None), CONFIG, f"{RELEASE}.sha256"),
    "no training data": (release(training_data=None), CONFIG, f"{RELEASE}.training_data"),
    "no evaluation": (release(evaluation=None), CONFIG, f"{RELEASE}.evaluation"),
    "one label": (release(labels=["NORMAL"]), CONFIG, f"{RELEASE}.labels"),
    **{
        f"labels {value}": (release(labels=value), CONFIG, f"{RELEASE}.labels")
        for value in (
            [],
            "PNEUMONIA",
            ["NORMAL", "SICK"],
            ["NORMAL", "PNEUMONIA", "OTHER"],
            ["PNEUMONIA", "PNEUMONIA"],
            ["PNEUMONIA", 1],
            ["PNEUMONIA", ""],
            ["PNEUMONIA", ["NORMAL"]],
        )
    },
    "labels null alone": (release(labels=...), CONFIG, f"{RELEASE}.labels"),
    "no probabilities": (config(lambda c: c.output.__delitem__(1)), CONFIG, "output"),
    "too many probabilities": (
        config(lambda c: c.output[1].dims.__setitem__(0, 3)),
        CONFIG,
        "output[probabilities].dims",
    ),
    "probabilities of another rank": (
        config(lambda c: c.output[1].dims.append(1)),
        CONFIG,
        "output[probabilities].dims",
    ),
    "labels file missing": (
        remove("classifier/labels.txt"),
        CONFIG,
        "output[probabilities].label_filename",
    ),
    "labels file not named": (
        config(lambda c: c.output[1].ClearField("label_filename")),
        CONFIG,
        "output.label_filename",
    ),
    "labels in another order": (
        write("classifier/labels.txt", b"PNEUMONIA\nNORMAL\n"),
        "classifier/labels.txt",
        "labels",
    ),
    "no card": (remove("classifier/MODEL_CARD.md"), "classifier/MODEL_CARD.md", "file"),
    "no ONNX file": (remove(MODEL), MODEL, "file"),
    "no ONNX model": (write(MODEL, b"\xffnot onnx"), MODEL, "file"),
    "hash": (release(sha256="0" * 64), MODEL, "sha256"),
    "new IR": (network(lambda model: setattr(model, "ir_version", 11)), MODEL, "ir_version"),
    "new opset": (network(other_opset), MODEL, "opset_import"),
    "contrib operators": (network(other_domain), MODEL, "opset_import"),
    "external data": (network(external_weight), MODEL, "external_data"),
    "unknown operator": (network(unknown_operator), MODEL, "graph"),
    "fixed batch": (network(fixed_batch), MODEL, "input[image].batch"),
    "output's size": (network(other_size), MODEL, "output[logits].dims"),
    "output's type": (network(other_type), MODEL, "output[probabilities].data_type"),
    "input's type": (config(lambda c: setattr(c.input[0], "data_type", 11)), MODEL, "input[image].data_type"),
    "input's size": (config(lambda c: c.input[0].dims.__setitem__(0, 64)), MODEL, "input[image].dims"),
    "input's rank": (config(lambda c: c.input[0].dims.pop()), MODEL, "input[image].dims"),
    "input's name": (config(lambda c: setattr(c.input[0], "name", "picture")), MODEL, "input"),
    "output's name": (config(lambda c: setattr(c.output[0], "name", "scores")), MODEL, "output"),
    "no type": (config(lambda c: c.output[0].ClearField("data_type")), CONFIG, "output[logits].data_type"),
    "novel type": (config(lambda c: setattr(c.output[0], "data_type", 99)), CONFIG, "output[logits].data_type"),
    "novel ONNX type": (network(novel_type), MODEL, "output[probabilities].data_type"),
    "novel instance kind": (
        config(lambda c: setattr(c.instance_group[0], "kind", 99)),
        CONFIG,
        "instance_group[0].kind",
    ),
    "no outputs": (config(lambda c: c.ClearField("output")), CONFIG, "output"),
}


@pytest.mark.parametrize(("mutate", "file", "field"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_is_found(repository: Path, mutate: Mutation, file: str, field: str) -> None:
    mutate(repository)
    findings = check_repository(repository)
    assert (file, field) in [(finding.file, finding.field) for finding in findings], findings
    assert not [finding for finding in findings if finding.file.startswith("pixel_importance")]


def test_a_good_repository_has_no_findings(repository: Path) -> None:
    assert check_repository(repository) == []


@pytest.mark.parametrize(("threshold", "band"), [(0.4, [0.4, 0.4]), (0.001, [0, 1]), (0.9416, [0.3395, 0.9416])])
def test_a_threshold_may_lie_on_the_edge_of_its_band(repository: Path, threshold: float, band: list[float]) -> None:
    release(decision_threshold=threshold, indeterminate_band=band)(repository)
    assert check_repository(repository) == []


def test_weights_listed_among_the_inputs_are_no_inputs(repository: Path) -> None:
    def list_weights(model: onnx.ModelProto) -> None:
        model.graph.input.append(onnx.helper.make_tensor_value_info("slope", onnx.TensorProto.FLOAT, [1]))

    network(list_weights)(repository)
    assert check_repository(repository) == []


def test_external_data_inside_a_branch_is_found(repository: Path) -> None:
    def branch(model: onnx.ModelProto) -> None:
        inner = onnx.helper.make_graph([], "inner", [], [])
        inner.initializer.append(onnx.numpy_helper.from_array(np.ones(1, np.float32), "w"))
        onnx.external_data_helper.set_external_data(inner.initializer[0], location="weights.bin")
        model.graph.node.append(onnx.helper.make_node("If", ["z"], ["unused"], then_branch=inner, else_branch=inner))

    network(branch)(repository)
    messages = [finding.message for finding in check_repository(repository) if finding.field == "external_data"]
    assert messages == ["Every tensor must be inside the file. Received: ['w', 'w'] outside"]


def test_every_version_is_checked(repository: Path) -> None:
    shutil.copytree(repository / "classifier" / "1", repository / "classifier" / "2")
    (repository / "classifier" / "1" / "model.onnx").write_bytes(b"\xffnot onnx")
    found = {(finding.file, finding.field) for finding in check_repository(repository)}
    assert (CONFIG, "parameters[release].2") in found
    assert (MODEL, "file") in found


def test_all_findings_are_collected(repository: Path) -> None:
    config(lambda c: setattr(c, "max_batch_size", 1))(repository)
    remove("classifier/MODEL_CARD.md")(repository)
    (repository / "pixel_importance" / "1" / "model.onnx").unlink()
    findings = check_repository(repository)
    assert [(finding.file, finding.field) for finding in findings] == [
        (CONFIG, "max_batch_size"),
        ("classifier/MODEL_CARD.md", "file"),
        ("pixel_importance/1/model.onnx", "file"),
    ]


def test_a_finding_is_one_line() -> None:
    assert str(Finding("a/config.pbtxt", "name", "Must be 'a'")) == "a/config.pbtxt: name: Must be 'a'"


def test_command_prints_findings_one_a_line_and_fails(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config(lambda c: setattr(c, "max_batch_size", 1))(repository)
    config(lambda c: c.version_policy.all.SetInParent())(repository)
    assert main(["check", "--repository", str(repository)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{CONFIG}: max_batch_size: Must be >= 64. Received: 1"
    assert lines[1].startswith(f"{CONFIG}: version_policy: ")
    assert len(lines) == 2


def test_command_prints_a_line_per_good_model(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--repository", str(repository)]) == 0
    assert [line.split(":")[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["classifier", " ok"],
        ["classifier_explain", " ok"],
        ["lung_segmenter", " ok"],
        ["pixel_importance", " ok"],
    ]


def test_command_fails_on_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--repository", str(tmp_path / "absent")]) == 1
    assert "absent: folder: " in capsys.readouterr().out
