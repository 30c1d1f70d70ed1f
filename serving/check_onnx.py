"""What the model contract asks of a `model.onnx`. Each rule yields what is wrong as a field and a message."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx.external_data_helper import uses_external_data
from tritonclient.grpc.model_config_pb2 import DataType

from serving.check_config import Fault, Model, one_line
from serving.repository import CONFIG_NAME, NUMPY_NAMES, enum_name

# The newest that Triton 24.10's ONNX Runtime loads.
MAX_IR_VERSION = 10
MAX_OPSET = 21


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model and its network."""

    model: Model
    file: Path
    onnx: onnx.ModelProto


def _check_format(version: Version) -> Iterator[Fault]:
    model = version.onnx
    if model.ir_version > MAX_IR_VERSION:
        yield "ir_version", f"Must be <= {MAX_IR_VERSION}. Received: {model.ir_version}"
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            yield "opset_import", f"Must be plain ONNX operators only. Received: domain {opset.domain!r}"
        elif opset.version > MAX_OPSET:
            yield "opset_import", f"Must be <= {MAX_OPSET}. Received: {opset.version}"


def _check_external_data(version: Version) -> Iterator[Fault]:
    external = [tensor.name for tensor in _tensors_of(version.onnx.graph) if uses_external_data(tensor)]
    if external:
        yield "external_data", f"Every tensor must be inside the file. Received: {external} outside"


def _tensors_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (*attribute.tensors, attribute.t)
        for inner in (*attribute.graphs, attribute.g):
            yield from _tensors_of(inner)


def _check_graph(version: Version) -> Iterator[Fault]:
    try:
        onnx.checker.check_model(version.onnx)
    except onnx.checker.ValidationError as error:
        yield "graph", f"Must pass onnx.checker. Received: {one_line(error)}"


def _check_hash(version: Version) -> Iterator[Fault]:
    entry = version.model.releases.get(version.file.parent.name)
    if not isinstance(entry, dict) or "sha256" not in entry:
        return  # Reported with the release.
    received = hashlib.sha256(version.file.read_bytes()).hexdigest()
    if received != entry["sha256"]:
        yield "sha256", f"Must be the release's {entry['sha256']}. Received: {received}"


def _check_signature(version: Version) -> Iterator[Fault]:
    graph, config = version.onnx.graph, version.model.config
    # Older ONNX files list their weights among the inputs.
    weights = {tensor.name for tensor in graph.initializer}
    yield from _compare("input", config.input, [value for value in graph.input if value.name not in weights])
    yield from _compare("output", config.output, graph.output)


def _compare(kind: str, declared: Iterable[Any], values: Iterable[onnx.ValueInfoProto]) -> Iterator[Fault]:
    by_name = {tensor.name: tensor for tensor in declared}
    given = {value.name: value for value in values}
    if set(by_name) != set(given):
        yield kind, f"Must be {sorted(by_name)} as in {CONFIG_NAME}. Received: {sorted(given)}"
    for name in sorted(set(by_name).intersection(given)):
        for field, message in _tensor_faults(by_name[name], given[name].type.tensor_type):
            yield f"{kind}[{name}].{field}", message


def _tensor_faults(declared: Any, given: onnx.TypeProto.Tensor) -> Iterator[Fault]:
    expected = NUMPY_NAMES.get(enum_name(DataType, declared.data_type), "none")
    received = _onnx_type_name(given.elem_type)
    if received != expected:
        yield "data_type", f"Must be {expected} as in {CONFIG_NAME}. Received: {received}"
    sizes = [size.dim_value if size.HasField("dim_value") else -1 for size in given.shape.dim]
    if not sizes or sizes[0] != -1:
        yield "batch", f"The first dimension must be dynamic. Received: {sizes}"
    if not _shapes_agree(list(declared.dims), sizes[1:]):
        yield "dims", f"Must be {list(declared.dims)} after the batch, as in {CONFIG_NAME}. Received: {sizes[1:]}"


def _onnx_type_name(elem_type: int) -> str:
    known = elem_type and elem_type in onnx.TensorProto.DataType.values()
    return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type)) if known else f"type {elem_type}"


def _shapes_agree(declared: list[int], given: list[int]) -> bool:
    # A size that the graph leaves open takes whatever the configuration declares.
    pairs = zip(declared, given, strict=False)
    return len(declared) == len(given) and all(size in (-1, want) for want, size in pairs)


ONNX_RULES: tuple[Callable[[Version], Iterator[Fault]], ...] = (
    _check_format,
    _check_external_data,
    _check_graph,
    _check_hash,
    _check_signature,
)
