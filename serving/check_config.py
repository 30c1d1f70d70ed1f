"""What the model contract asks of a `config.pbtxt`. Each rule yields what is wrong as a field and a message."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInstanceGroup, ModelQueuePolicy

from serving.repository import (
    CONFIG_NAME,
    NUMPY_NAMES,
    ONNX_NAME,
    RepositoryError,
    enum_name,
    read_config,
    read_labels,
    read_releases,
    served_version,
    version_folders,
)

MIN_BATCH_SIZE = 64
PRIORITY_LEVELS = 2
RELEASE_KEYS = (
    "architecture",
    "labels",
    "decision_threshold",
    "indeterminate_band",
    "sha256",
    "training_data",
    "evaluation",
)
# Null, all three, for a model that decides nothing.
DECISION_KEYS = ("labels", "decision_threshold", "indeterminate_band")

POSITIVE_LABEL = "PNEUMONIA"
PROBABILITIES = "probabilities"

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Model:
    """A model's folder and what its configuration says. `releases` is keyed by version."""

    folder: Path
    config: ModelConfig
    versions: tuple[str, ...]
    releases: Mapping[str, Any]


def read_model_folder(folder: Path) -> Model:
    """Read a model without holding it against anything yet.

    Raises
    ------
    RepositoryError
        The configuration, or the release in it, cannot be read.
    """
    config = read_config(folder / CONFIG_NAME)
    return Model(folder, config, tuple(version_folders(folder)), read_releases(config, folder / CONFIG_NAME))


def one_line(text: object) -> str:
    """Put a message of several lines on one."""
    return " ".join(str(text).split())


def _check_identity(model: Model) -> Iterator[Fault]:
    config = model.config
    if config.name != model.folder.name:
        yield "name", f"Must be the folder's name, {model.folder.name!r}. Received: {config.name!r}"
    if config.backend != "onnxruntime":
        yield "backend", f"Must be 'onnxruntime'. Received: {config.backend!r}"
    if config.default_model_filename not in ("", ONNX_NAME):
        yield "default_model_filename", f"Must be absent or {ONNX_NAME!r}. Received: {config.default_model_filename!r}"
    if config.max_batch_size < MIN_BATCH_SIZE:
        yield "max_batch_size", f"Must be >= {MIN_BATCH_SIZE}. Received: {config.max_batch_size}"


def _check_versions(model: Model) -> Iterator[Fault]:
    try:
        served_version(model.config, model.versions, CONFIG_NAME)
    except RepositoryError as error:
        yield error.field, one_line(error.problem)


def _check_tensors(model: Model) -> Iterator[Fault]:
    for kind, tensors in (("input", model.config.input), ("output", model.config.output)):
        if not tensors:
            yield kind, f"The model must declare at least one {kind}. Received: none"
        for tensor in tensors:
            name = enum_name(DataType, tensor.data_type)
            if name not in NUMPY_NAMES:
                yield f"{kind}[{tensor.name}].data_type", f"Must be a known type. Received: {name}"


def _check_batching(model: Model) -> Iterator[Fault]:
    batching = model.config.dynamic_batching
    if not model.config.HasField("dynamic_batching"):
        yield "dynamic_batching", "Must be present. Received: none"
        return
    if batching.priority_levels != PRIORITY_LEVELS:
        yield "dynamic_batching.priority_levels", f"Must be {PRIORITY_LEVELS}. Received: {batching.priority_levels}"
    if not 1 <= batching.default_priority_level <= PRIORITY_LEVELS:
        received = batching.default_priority_level
        yield "dynamic_batching.default_priority_level", f"Must be 1 to {PRIORITY_LEVELS}. Received: {received}"
    yield from _check_queue_policy("dynamic_batching.default_queue_policy", batching.default_queue_policy)
    for level, policy in sorted(batching.priority_queue_policy.items()):
        yield from _check_queue_policy(f"dynamic_batching.priority_queue_policy[{level}]", policy)


def _check_queue_policy(field: str, policy: ModelQueuePolicy) -> Iterator[Fault]:
    for bound in ("max_queue_size", "default_timeout_microseconds"):
        if not getattr(policy, bound):
            yield f"{field}.{bound}", "Must be > 0, or the queue grows without a bound. Received: 0"
    if not policy.allow_timeout_override:
        yield f"{field}.allow_timeout_override", "Must be true, or requests cannot set their deadline. Received: false"
    if policy.timeout_action != ModelQueuePolicy.REJECT:
        received = enum_name(ModelQueuePolicy.TimeoutAction, policy.timeout_action)
        yield f"{field}.timeout_action", f"Must be REJECT. Received: {received}"


def _check_warmup(model: Model) -> Iterator[Fault]:
    if not model.config.model_warmup:
        yield "model_warmup", "Must be present. Received: none"
    for warmup in model.config.model_warmup:
        yield from (
            (f"model_warmup[{warmup.name}].{field}", message) for field, message in _warmup_faults(model, warmup)
        )


def _warmup_faults(model: Model, warmup: Any) -> Iterator[Fault]:
    declared = {tensor.name: tensor for tensor in model.config.input}
    if not 1 <= warmup.batch_size <= model.config.max_batch_size:
        yield "batch_size", f"Must be 1 to max_batch_size. Received: {warmup.batch_size}"
    if set(warmup.inputs) != set(declared):
        yield "inputs", f"Must be {sorted(declared)}. Received: {sorted(warmup.inputs)}"
    for name in sorted(set(declared).intersection(warmup.inputs)):
        want, given = declared[name], warmup.inputs[name]
        if given.data_type != want.data_type:
            expected, received = enum_name(DataType, want.data_type), enum_name(DataType, given.data_type)
            yield f"inputs[{name}].data_type", f"Must be {expected}. Received: {received}"
        if not _sizes_fit(want.dims, given.dims):
            yield f"inputs[{name}].dims", f"Must be {list(want.dims)}. Received: {list(given.dims)}"


def _sizes_fit(declared: Iterable[int], sizes: Iterable[int]) -> bool:
    declared, sizes = list(declared), list(sizes)
    pairs = zip(declared, sizes, strict=False)
    return len(declared) == len(sizes) and all(want == size or (want == -1 and size > 0) for want, size in pairs)


def _check_instances(model: Model) -> Iterator[Fault]:
    for number, group in enumerate(model.config.instance_group):
        if group.kind != ModelInstanceGroup.KIND_AUTO:
            received = enum_name(ModelInstanceGroup.Kind, group.kind)
            yield (
                f"instance_group[{number}].kind",
                f"Must be KIND_AUTO, to load without a GPU too. Received: {received}",
            )
        if group.gpus:
            yield (
                f"instance_group[{number}].gpus",
                f"Must be absent, to load without a GPU too. Received: {list(group.gpus)}",
            )


def _check_release(model: Model) -> Iterator[Fault]:
    if "release" not in model.config.parameters:
        yield "parameters[release]", "Must be present. Received: none"
        return
    for version in model.versions:
        field = f"parameters[release].{version}"
        entry = model.releases.get(version)
        if not isinstance(entry, dict):
            yield field, f"Every version must have an entry. Received: {sorted(model.releases)}"
            continue
        yield from ((f"{field}.{key}", "Must be present. Received: none") for key in RELEASE_KEYS if key not in entry)
        yield from ((f"{field}.{key}", message) for key, message in _decision_faults(entry))


def _decision_faults(entry: Mapping[str, Any]) -> Iterator[Fault]:
    present = {key: entry[key] for key in DECISION_KEYS if key in entry}
    if any(value is not None for value in present.values()):
        yield from (
            (key, "Must be given, or all of a decision null") for key, value in present.items() if value is None
        )
    labels, threshold, band = (present.get(key) for key in DECISION_KEYS)
    if labels is not None and not _are_labels(labels):
        yield "labels", f"Must be two distinct names, one of them {POSITIVE_LABEL!r}. Received: {labels}"
    if threshold is not None and not _is_threshold(threshold):
        yield "decision_threshold", f"Must be a number between 0 and 1, neither of them. Received: {threshold}"
    if band is not None and not _is_band_around(threshold, band):
        received = f"{band} for decision_threshold {threshold}"
        yield "indeterminate_band", f"Must be two numbers 0 <= lower <= threshold <= upper <= 1. Received: {received}"


def _are_labels(labels: object) -> bool:
    if not (isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)):
        return False
    return len(labels) == len(set(labels)) == 2 and POSITIVE_LABEL in labels


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_threshold(value: Any) -> bool:
    return _is_number(value) and 0 < value < 1


def _is_band_around(threshold: Any, band: object) -> bool:
    if not (isinstance(band, list) and len(band) == 2 and all(map(_is_number, band))):
        return False
    # A wrong threshold has a fault of its own.
    bounds = [band[0], threshold, band[1]] if _is_threshold(threshold) else band
    return band[0] >= 0 and bounds == sorted(bounds) and band[1] <= 1


def _check_probabilities(model: Model) -> Iterator[Fault]:
    labels = _newest_release(model).get("labels")
    if not isinstance(labels, list):
        return
    dims = {output.name: list(output.dims) for output in model.config.output}
    if PROBABILITIES not in dims:
        yield "output", f"Must have {PROBABILITIES!r}, one for each of {labels}. Received: {sorted(dims)}"
    elif dims[PROBABILITIES] != [len(labels)]:
        received = dims[PROBABILITIES]
        yield f"output[{PROBABILITIES}].dims", f"Must be [{len(labels)}], one for each label. Received: {received}"


def check_labels(model: Model) -> Iterator[tuple[str, str, str]]:
    """Hold the labels files against the release; yields the file, relative to the model, the field and the message."""
    expected = _newest_release(model).get("labels")
    labelled = [output for output in model.config.output if output.label_filename]
    if expected and not labelled:
        yield CONFIG_NAME, "output.label_filename", f"An output must have a file of {expected}. Received: none"
    for output in labelled:
        try:
            labels = list(read_labels(model.folder / output.label_filename))
        except RepositoryError as error:
            yield CONFIG_NAME, f"output[{output.name}].label_filename", one_line(error.problem)
            continue
        if labels != expected:
            yield output.label_filename, "labels", f"Must be the release's {expected}. Received: {labels}"


def _newest_release(model: Model) -> Mapping[str, Any]:
    entry = model.releases.get(model.versions[-1]) if model.versions else None
    return entry if isinstance(entry, dict) else {}


CONFIG_RULES: tuple[Callable[[Model], Iterator[Fault]], ...] = (
    _check_identity,
    _check_versions,
    _check_tensors,
    _check_batching,
    _check_warmup,
    _check_instances,
    _check_release,
    _check_probabilities,
)
