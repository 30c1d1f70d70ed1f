"""A graph under construction: what is known of its tensors, and how nodes are added to it."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import NodeProto, helper, numpy_helper, shape_inference

from export.differentiate.errors import DifferentiationError, UnknownShape

Size: TypeAlias = int | str
Shape: TypeAlias = tuple[Size, ...]
_PREFIX = "gradient"


class Graph:
    """A copy of an inference graph that grows.

    A size that is known only when the graph runs, such as that of a batch, is a string: two sizes of the same name
    are equal. Tensors that were added have no known shape; the gradient of a tensor has the shape of the tensor.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self._graph = self.model.graph
        self._initializers = {tensor.name: tensor for tensor in self._graph.initializer}
        self._producers = {name: node for node in self._graph.node for name in node.output if name}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._shapes: dict[str, Shape] = {}
        self._constants: dict[tuple[str, Shape, bytes], str] = {}
        self._read_types()
        self._taken = {*self._dtypes, *self._producers, *(node.name for node in self._graph.node)}

    @property
    def nodes(self) -> Sequence[NodeProto]:
        """The nodes, in an order in which they can run."""
        return self._graph.node

    def __contains__(self, name: str) -> bool:
        """Tell whether a tensor of this name exists."""
        return name in self._producers or name in self._dtypes

    def producer(self, name: str) -> NodeProto | None:
        """Find the node that makes a tensor; None for inputs and initialisers."""
        return self._producers.get(name)

    def is_float(self, name: str) -> bool:
        """Tell whether a tensor holds floating-point numbers, which alone have gradients."""
        dtype = self._dtypes.get(name)
        return dtype is not None and np.issubdtype(dtype, np.floating)

    def may_be_float(self, name: str) -> bool:
        """Tell whether a tensor holds floating-point numbers or is of a type that nobody knows."""
        return bool(name) and (name not in self._dtypes or self.is_float(name))

    def dtype(self, name: str) -> np.dtype[Any]:
        """Tell the element type of a tensor of the original graph."""
        try:
            return self._dtypes[name]
        except KeyError:
            raise UnknownShape(f"The type of a tensor must be known. Received: {name!r}") from None

    def shape(self, name: str) -> Shape:
        """Tell the shape of a tensor of the original graph.

        Raises
        ------
        UnknownShape
            Not even its number of dimensions is known.
        """
        try:
            return self._shapes[name]
        except KeyError:
            raise UnknownShape(f"The rank of a tensor must be known. Received: {name!r}") from None

    def size(self, name: str, axis: int) -> int:
        """Tell one size of a tensor of the original graph.

        Raises
        ------
        UnknownShape
            The size is known only when the graph runs.
        """
        size = self.shape(name)[axis]
        if isinstance(size, str):
            raise UnknownShape(f"Axis {axis} must have a fixed size. Received: {name!r} of shape {self.shape(name)}")
        return size

    def constant_value(self, name: str) -> NDArray[Any] | None:
        """Read a tensor that does not depend on inputs: an initialiser or the output of a Constant node."""
        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        node = self._producers.get(name)
        if node is None or node.op_type != "Constant":
            return None
        value = helper.get_attribute_value(node.attribute[0])
        return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the name of the output."""
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(self, op_type: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with so many outputs, and return their names."""
        names = [self._fresh(op_type) for _ in range(outputs)]
        self._graph.node.append(helper.make_node(op_type, list(inputs), names, name=names[0], **attributes))
        return names

    def constant(self, values: ArrayLike, dtype: DTypeLike) -> str:
        """Add a constant, once for all of its uses, and return its name."""
        array = np.asarray(values, dtype=dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._fresh("constant")
            self._graph.initializer.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def integers(self, values: ArrayLike) -> str:
        """Add a constant of 64-bit integers."""
        return self.constant(values, np.int64)

    def like(self, values: ArrayLike, name: str) -> str:
        """Add a constant of the element type of a tensor of the original graph."""
        return self.constant(values, self.dtype(name))

    def cast_like(self, name: str, like: str) -> str:
        """Cast a tensor to the element type of a tensor of the original graph."""
        return self.op("Cast", name, to=helper.np_dtype_to_tensor_dtype(self.dtype(like)))

    def add_output(
        self, name: str, alias: str, like: str, shape: Shape | None = None, element_type: int | None = None
    ) -> None:
        """Make a tensor an output called `alias`; element type and shape are those of `like` if none are given.

        Raises
        ------
        DifferentiationError
            There is a tensor of that name.
        """
        if alias in self or alias in self._taken:
            raise DifferentiationError(f"An output must have a name of its own. Received: {alias!r}")
        self._graph.node.append(helper.make_node("Identity", [name], [alias], name=self._fresh("output")))
        kind = helper.np_dtype_to_tensor_dtype(self.dtype(like)) if element_type is None else element_type
        sizes = self.shape(like) if shape is None else shape
        self._graph.output.append(helper.make_tensor_value_info(alias, kind, sizes))
        self._taken.add(alias)

    def _fresh(self, kind: str) -> str:
        number = len(self._taken)
        while (name := f"{_PREFIX}/{kind}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name

    def _read_types(self) -> None:
        inferred = _infer_shapes(self.model).graph
        for tensor in inferred.initializer:
            self._dtypes[tensor.name] = helper.tensor_dtype_to_np_dtype(tensor.data_type)
            self._shapes[tensor.name] = tuple(tensor.dims)
        for value in (*inferred.input, *inferred.output, *inferred.value_info):
            if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type:
                self._read_type(value.name, value.type.tensor_type)

    def _read_type(self, name: str, tensor: onnx.TypeProto.Tensor) -> None:
        self._dtypes[name] = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if tensor.HasField("shape"):
            self._shapes[name] = tuple(
                size.dim_value if size.HasField("dim_value") else (size.dim_param or f"{name}:{axis}")
                for axis, size in enumerate(tensor.shape.dim)
            )


def _infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Infer shapes anew: what exporters leave in the file gives one batch a different name at every tensor."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    foreign = {name for node in bare.graph.node if node.domain not in ("", "ai.onnx") for name in node.output}
    kept = [value for value in bare.graph.value_info if value.name in foreign]  # which onnx cannot infer
    del bare.graph.value_info[:]
    bare.graph.value_info.extend(kept)
    try:
        return shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        raise DifferentiationError(f"The model's types and shapes must agree with its operators: {error}") from error
