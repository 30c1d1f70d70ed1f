"""Sums, products and extremes of several tensors, broadcast one way, the other, and both."""

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, node, single
from tests.unit.export.differentiate.tensors import apart, positive

_PATTERNS = {
    "alike": ((BATCH, 3, 4), (BATCH, 3, 4)),
    "with a column": ((BATCH, 3, 4), (3, 1)),
    "with a row": ((BATCH, 3, 4), (4,)),
    "with a number": ((BATCH, 3, 4), ()),
    "with one image for all": ((BATCH, 3, 4), (1, 3, 4)),
    "of a row": ((4,), (BATCH, 3, 4)),
    "of a number for each image": ((BATCH, 1, 1), (3, 4)),
    "both ways": ((BATCH, 3, 1), (BATCH, 1, 4)),
    "both ways, with fewer axes": ((BATCH, 1, 4), (3, 1)),
}
_OPERATORS = ("Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow")

_PAIRS = {
    f"{op_type} {pattern}": single(op_type, {"a": a, "b": b}, values=positive)
    for op_type in _OPERATORS
    for pattern, (a, b) in _PATTERNS.items()
}
_THREE = {"a": (BATCH, 3, 1), "b": (4,), "c": (BATCH, 3, 4)}
_X = {"x": (BATCH, 3, 4)}

CASES = {
    **_PAIRS,
    **{f"{op_type} of three": single(op_type, _THREE) for op_type in ("Sum", "Mean", "Max", "Min")},
    **{f"{op_type} of one": single(op_type, _X) for op_type in ("Sum", "Mean", "Max", "Min")},
    "square": Network([node("Mul", "x x")], _X),
    "twice": Network([node("Add", "x x")], _X),
    "nothing": Network([node("Sub", "x x")], _X),
    "one": Network([node("Div", "x x")], _X, values=apart(0)),
    "larger of the same": Network([node("Max", "x x")], _X),
    "residual": Network([node("Tanh", "x", "t"), node("Mul", "t x", "u"), node("Add", "u x")], _X),
    "square by Pow": single("Pow", _X, {"p": np.array(2.0)}),
    "cube by Pow": single("Pow", _X, {"p": np.array(3.0)}),
    "root by Pow": single("Pow", _X, {"p": np.array(0.5)}, values=positive),
    "inverse by Pow": single("Pow", _X, {"p": np.array(-1.0)}, values=apart(0)),
    "integer power": single("Pow", _X, {"p": np.array(3)}),
    "a power for each column": single("Pow", _X, {"p": np.array([0, 1, 2, 3])}, values=apart(0)),
}
