"""The reverse sweep: from a scalar back to the tensors it depends on, one node at a time.

Reverse-mode differentiation (Linnainmaa 1970; Griewank and Walther, Evaluating Derivatives, 2008), written as graph
to graph: the result computes the gradient with operators, and needs no framework to run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, inliner, version_converter

from export.differentiate.constants import fold_small_constants, reads
from export.differentiate.errors import DifferentiationError, NoRule, NotConnected
from export.differentiate.graph import Graph
from export.differentiate.rules import RULES
from export.differentiate.step import Rule, Step

OPSET = 17
_OLDEST_IR_VERSION = 4  # before it, initialisers had to be inputs too
_OLDEST_OPSET = 13  # from here on, all that the rules write means the same in every opset


@dataclass(frozen=True, slots=True)
class Scalar:
    """What is differentiated, one number for each image: a weighted sum of the entries of one tensor.

    `tensor` has the shape ``[n, ...]``; `weights` gives each entry that counts its weight, by its place in a row
    flattened to ``[n, k]``. ``Scalar("logits", {1: 1.0, 0: -1.0})`` is the difference of two logits.
    """

    tensor: str
    weights: Mapping[int, float]


def add_gradients(model: onnx.ModelProto, scalar: Scalar, with_respect_to: Mapping[str, str]) -> onnx.ModelProto:
    """Write a model that answers gradients besides its own outputs.

    Parameters
    ----------
    model
        An inference model: tensors have one meaning, no node is in training mode. Below opset 13 it is converted to
        opset 17 first.
    scalar
        What to differentiate, for each image of the batch on its own.
    with_respect_to
        From each tensor to the name of the output that holds its gradient. The tensors are floating-point inputs
        or activations; the gradient has the same shape.

    Returns
    -------
    A copy of the model with the further outputs. It uses operators of the default domain alone, that opset 17 has.
    Rotated and transposed kernels are computed from the stored ones, which runtimes do once, when they load the file.

    Raises
    ------
    NoRule
        An operator on the way has no rule.
    NotConnected
        The scalar does not depend on a tensor.
    UnknownShape
        A rule needs a size that is known only when the graph runs.
    DifferentiationError
        A name is unknown or taken, or a tensor holds no floating-point numbers.
    """
    graph = open_graph(model)
    gradients = sweep(graph, scalar, list(with_respect_to))
    for tensor, output in with_respect_to.items():
        graph.add_output(gradients[tensor], output, tensor)
    return graph.model


def open_graph(model: onnx.ModelProto) -> Graph:
    """Take a copy of a model in the form in which the rules can be applied.

    Local functions are inlined, small constants folded, opsets before 13 converted to 17, and weights that are listed
    as inputs, as old files have them, become constants.

    Raises
    ------
    DifferentiationError
        The model is not valid, or cannot be converted.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(inliner.inline_local_functions(model) if model.functions else model)
    opset = next((opset.version for opset in copy.opset_import if opset.domain in ("", "ai.onnx")), 1)
    if opset < _OLDEST_OPSET:
        try:
            copy = version_converter.convert_version(copy, OPSET)
        except (RuntimeError, version_converter.ConvertError) as error:
            raise DifferentiationError(
                f"The model must be convertible from opset {opset} to {OPSET}: {error}"
            ) from error
    _make_weights_constant(copy)
    fold_small_constants(copy)
    return Graph(copy)


def _make_weights_constant(model: onnx.ModelProto) -> None:
    model.ir_version = max(model.ir_version, _OLDEST_IR_VERSION)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def sweep(graph: Graph, scalar: Scalar, tensors: Sequence[str]) -> Mapping[str, str]:
    """Add the nodes that compute the gradients, and return from each tensor to the name of its gradient.

    Raises
    ------
    DifferentiationError
        As `add_gradients`.
    """
    _require_tensors(graph, [scalar.tensor, *tensors])
    forward = list(graph.nodes)
    active = _tensors_between(graph, forward, tensors, scalar.tensor)
    for node in forward:  # before a rule misses the shapes that an unknown operator hides
        if active.intersection(node.output) and active.intersection(reads(node)):
            _rule_of(node)
    collected: dict[str, list[str]] = {scalar.tensor: [_seed(graph, scalar)]}
    gradients: dict[str, str] = {}
    for node in reversed(forward):
        for output in node.output:
            if output in collected and output in active:
                gradients[output] = _total(graph, collected.pop(output))
        step = Step(
            graph,
            node,
            tuple(gradients.get(output) for output in node.output),
            tuple(name in active for name in node.input),
        )
        if any(step.gradients) and active.intersection(reads(node)):
            for name, gradient in zip(node.input, _rule_of(node)(step), strict=False):
                if gradient is not None and name in active:
                    collected.setdefault(name, []).append(gradient)
    gradients |= {name: _total(graph, parts) for name, parts in collected.items() if name in active}
    return _found(gradients, tensors, scalar)


def _rule_of(node: NodeProto) -> Rule:
    rule = RULES.get(node.op_type)
    if rule is None or node.domain not in ("", "ai.onnx"):
        raise NoRule(node)
    return rule


def _tensors_between(graph: Graph, nodes: Sequence[NodeProto], sources: Sequence[str], target: str) -> set[str]:
    """Collect the floating-point tensors that depend on a source and that the target depends on."""
    reached = set(sources)
    for node in nodes:
        if reached.intersection(reads(node)):
            reached.update(name for name in node.output if graph.may_be_float(name))
    needed = {target}
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(name for name in reads(node) if name)
    return reached & needed


def _seed(graph: Graph, scalar: Scalar) -> str:
    """Write the gradient of the scalar with respect to its own tensor: its weights, for every image."""
    shape = graph.shape(scalar.tensor)[1:]
    sizes = [graph.size(scalar.tensor, axis + 1) for axis in range(len(shape))]
    weights = np.zeros(int(np.prod(sizes)))
    if not scalar.weights or not set(scalar.weights) <= set(range(weights.size)):
        raise DifferentiationError(
            f"Weights must belong to entries 0 to {weights.size - 1}. Received: {dict(scalar.weights)}"
        )
    weights[list(scalar.weights)] = list(scalar.weights.values())
    row = graph.like(weights.reshape(1, *sizes), scalar.tensor)
    return graph.op("Expand", row, graph.op("Shape", scalar.tensor))


def _total(graph: Graph, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.op("Sum", *parts)


def _found(gradients: Mapping[str, str], tensors: Sequence[str], scalar: Scalar) -> Mapping[str, str]:
    for name in tensors:
        if name not in gradients:
            raise NotConnected(f"{scalar.tensor!r} must depend on the tensor. Received: {name!r}")
    return {name: gradients[name] for name in tensors}


def _require_tensors(graph: Graph, names: Iterable[str]) -> None:
    for name in names:
        if name not in graph:
            raise DifferentiationError(f"A tensor must be part of the graph. Received: {name!r}")
        if not graph.is_float(name):
            raise DifferentiationError(
                f"Only floating-point tensors have gradients: take the output of the Cast behind it. Received: {name!r}"
            )
