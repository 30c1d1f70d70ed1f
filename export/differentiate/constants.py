"""Folds what can be computed before the graph runs, as exporters leave sizes and paddings behind as chains of nodes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

_BY_CHANCE = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
_LARGEST = 1024  # values; kernels are computed by the runtime, which must not be given a second copy of them


def fold_small_constants(model: onnx.ModelProto) -> None:
    """Replace nodes that read small constants alone by their values, in place."""
    known = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if _is_small(list(tensor.dims))
    }
    outputs = {output.name for output in model.graph.output}
    kept = []
    for node in model.graph.node:
        values = _values_of(node, known, model) if not outputs.intersection(node.output) else None
        if values is None:
            kept.append(node)
            continue
        known |= values
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in values.items())
    del model.graph.node[:]
    model.graph.node.extend(kept)
    _drop_unread(model)


def _drop_unread(model: onnx.ModelProto) -> None:
    read = {name for node in model.graph.node for name in reads(node)}
    read.update(output.name for output in model.graph.output)
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def reads(node: NodeProto) -> Iterable[str]:
    """Name what a node reads, also what its inner graphs (of If, Loop and Scan) read from outside."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            yield from (output.name for output in inner.output)
            for inner_node in inner.node:
                yield from reads(inner_node)


def _is_small(sizes: list[int]) -> bool:
    total = 1
    for size in sizes:
        total *= size
    return total <= _LARGEST


def _values_of(
    node: NodeProto, known: dict[str, NDArray[Any]], model: onnx.ModelProto
) -> dict[str, NDArray[Any]] | None:
    """Compute the outputs of a node; None if they depend on inputs, are large, or if nobody can compute them here."""
    inputs = {name: known.get(name) for name in node.input if name}
    if node.domain not in ("", "ai.onnx") or node.op_type in _BY_CHANCE or _has_graphs(node):
        return None
    if any(values is None for values in inputs.values()):
        return None
    names = [name for name in node.output if name]
    graph = helper.make_graph(
        [node],
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in names],
        [numpy_helper.from_array(values, name) for name, values in inputs.items() if values is not None],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        values = list(ReferenceEvaluator(single).run(None, {}))
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return None  # it stays a node
    small = all(isinstance(array, np.ndarray | np.generic) and _is_small(list(array.shape)) for array in values)
    return {name: np.asarray(array) for name, array in zip(names, values, strict=True)} if small else None


def _has_graphs(node: NodeProto) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
