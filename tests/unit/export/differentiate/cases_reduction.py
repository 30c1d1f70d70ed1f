"""Sums, means, norms and extremes along axes."""

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, single
from tests.unit.export.differentiate.tensors import distinct, positive

X = {"x": (BATCH, 3, 4, 2)}
_AXES = {"one axis": [1], "two axes": [1, 2], "from behind": [-1], "unordered": [-1, 1], "all but the batch": [1, 2, 3]}


def reduction(op_type: str, axes: list[int], keepdims: int) -> Network:
    """Make a reduction whose axes are an input for ReduceSum and an attribute for the others, as opset 17 has it."""
    if op_type == "ReduceSum":
        return single(op_type, X, {"axes": np.array(axes)}, keepdims=keepdims)
    return single(op_type, X, axes=axes, keepdims=keepdims, values=distinct)


CASES = {
    **{
        f"{op_type} of {name}, keepdims={keepdims}": reduction(op_type, axes, keepdims)
        for op_type in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2")
        for name, axes in _AXES.items()
        for keepdims in (0, 1)
    },
    **{
        f"{op_type} of everything": single(op_type, {"x": (2, 3, 2)}, values=distinct)
        for op_type in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2")
    },
    "ReduceSum of no axes": single("ReduceSum", X, noop_with_empty_axes=1),
    "ReduceMean by an input": single("ReduceMean", X, {"axes": np.array([2, -1])}, opset=18, keepdims=0),
    "ReduceMax by an input": single("ReduceMax", X, {"axes": np.array([1])}, opset=18, values=distinct),
    **{
        f"{op_type} of no axes": single(
            op_type, X, {"axes": np.array([], np.int64)}, opset=18, values=positive, noop_with_empty_axes=1, keepdims=0
        )
        for op_type in ("ReduceMean", "ReduceL2")
    },
}
