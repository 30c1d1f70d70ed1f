"""What every backend checks of a request before it is sent, and of an answer before it is handed on."""

from collections.abc import Mapping, Sequence

import numpy as np

from serving.backend import BackendProtocolError, ModelSpec, Tensor, TensorSpec


def validate_request(model: ModelSpec, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> int:
    """Hold a request against the model's declaration and return its batch size.

    Raises
    ------
    ValueError
        A name, type, shape or batch size is not what the model declares.
    """
    _validate_names(model, inputs, outputs)
    for spec in model.inputs:
        if fault := _tensor_fault(spec, inputs[spec.name]):
            raise ValueError(f"Model {model.name!r}: {fault}")
    return _batch_size_of(model, inputs)


def validate_answer(model: ModelSpec, answer: Mapping[str, Tensor], outputs: Sequence[str], batch: int) -> None:
    """Hold an answer against the model's declaration.

    Values are not looked at: a NaN is an answer about an image, which the gateway judges.

    Raises
    ------
    BackendProtocolError
        A wanted output is missing or has another type, shape or batch size.
    """
    for spec in model.outputs:
        if spec.name in outputs and (fault := _answer_fault(spec, answer.get(spec.name), batch)):
            raise BackendProtocolError(f"Model {model.name!r} version {model.version}: {fault}")


def _validate_names(model: ModelSpec, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
    declared = {spec.name for spec in model.inputs}
    if set(inputs) != declared:
        raise ValueError(f"Inputs of {model.name!r} must be {sorted(declared)}. Received: {sorted(inputs)}")
    offered = {spec.name for spec in model.outputs}
    if not outputs or len(set(outputs)) != len(outputs) or not offered.issuperset(outputs):
        raise ValueError(f"Outputs of {model.name!r} must be some of {sorted(offered)}. Received: {list(outputs)}")


def _batch_size_of(model: ModelSpec, inputs: Mapping[str, Tensor]) -> int:
    sizes = {int(tensor.shape[0]) for tensor in inputs.values()}
    if len(sizes) != 1:
        raise ValueError(f"Inputs of {model.name!r} must have one batch size. Received: {sorted(sizes)}")
    size = sizes.pop()
    if not 1 <= size <= model.max_batch_size:
        raise ValueError(f"Batches of {model.name!r} must hold 1 to {model.max_batch_size} images. Received: {size}")
    return size


def _answer_fault(spec: TensorSpec, tensor: Tensor | None, batch: int) -> str:
    if tensor is None:
        return f"The answer must hold {spec.name!r}. Received: none"
    fault = _tensor_fault(spec, tensor)
    if not fault and tensor.shape[0] != batch:
        return f"{spec.name!r} must have batch size {batch}. Received: {tensor.shape[0]}"
    return fault


def _tensor_fault(spec: TensorSpec, tensor: Tensor) -> str:
    # Types are compared as types, not by name: a big-endian float32 has the same name and other bytes.
    if tensor.dtype != np.dtype(spec.dtype):
        return f"{spec.name!r} must be {spec.dtype}. Received: {tensor.dtype.str}"
    if not _fits(spec.shape, tensor.shape):
        return f"{spec.name!r} must have shape {['n', *spec.shape]}. Received: {list(tensor.shape)}"
    return ""


def _fits(declared: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    sizes = zip(declared, shape[1:], strict=False)
    return len(shape) == len(declared) + 1 and all(want in (-1, size) for want, size in sizes)
