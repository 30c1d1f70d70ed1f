"""Operators that map every number on its own; values stay away from kinks."""

from typing import Any

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, node, single
from tests.unit.export.differentiate.tensors import Array, apart, positive

X = {"x": (BATCH, 3, 4)}


def number(value: float) -> Array:
    return np.array(value)


def kinked(op_type: str, *places: float, **attributes: Any) -> Network:
    return single(op_type, X, values=apart(*places), **attributes)


def clip(low: float | None, high: float | None) -> Network:
    names = f"x {'_' if low is None else 'low'} {'_' if high is None else 'high'}"
    constants = {name: number(value) for name, value in (("low", low), ("high", high)) if value is not None}
    places = [value for value in (low, high) if value is not None]
    return Network([node("Clip", names)], X, constants, values=apart(*places))


CASES = {
    "abs": kinked("Abs", 0),
    "clip from both sides": clip(-1.0, 1.5),
    "clip from below": clip(0.3, None),
    "clip from above": clip(None, 0.3),
    "clip without limits": clip(None, None),
    "clip with no further inputs": single("Clip", X),
    "cos": single("Cos", X),
    "dropout": single("Dropout", X),
    "dropout with a ratio": single("Dropout", X, {"ratio": number(0.5)}),
    "dropout not in training": single("Dropout", X, {"ratio": number(0.5), "training": np.array(False)}),
    "elu": kinked("Elu", 0),
    "elu, alpha": kinked("Elu", 0, alpha=0.4),
    "erf": single("Erf", X),
    "exp": single("Exp", X),
    "gelu": single("Gelu", X, opset=20),
    "gelu by tanh": single("Gelu", X, opset=20, approximate="tanh"),
    "hard sigmoid": kinked("HardSigmoid", -2.5, 2.5),
    "hard sigmoid, alpha and beta": kinked("HardSigmoid", -1.2, 0.8, alpha=0.5, beta=0.6),
    "hard swish": kinked("HardSwish", -3, 3),
    "identity": single("Identity", X),
    "leaky relu": kinked("LeakyRelu", 0),
    "leaky relu, alpha": kinked("LeakyRelu", 0, alpha=0.3),
    "log": single("Log", X, values=positive),
    "neg": single("Neg", X),
    "prelu": single("PRelu", X, {"slope": np.array(0.3)}, values=apart(0)),
    "prelu, a slope for each channel": single("PRelu", X, {"slope": np.array([[0.3], [-0.2], [2]])}, values=apart(0)),
    "reciprocal": single("Reciprocal", X, values=positive),
    "relu": kinked("Relu", 0),
    "selu": kinked("Selu", 0),
    "selu, alpha and gamma": kinked("Selu", 0, alpha=0.5, gamma=1.5),
    "sigmoid": single("Sigmoid", X),
    "sin": single("Sin", X),
    "softplus": single("Softplus", X),
    "softsign": kinked("Softsign", 0),
    "sqrt": single("Sqrt", X, values=positive),
    "tanh": single("Tanh", X),
    "where": Network(
        [node("Where", "c a b")],
        {"a": (BATCH, 3, 4), "b": (BATCH, 3, 4)},
        {"c": np.arange(12).reshape(3, 4) % 3 == 0},
    ),
    "where, broadcast": Network(
        [node("Where", "c a b")], {"a": (BATCH, 1, 4), "b": (3, 1)}, {"c": np.arange(12).reshape(3, 4) % 3 == 0}
    ),
    "where, a wider condition": Network(
        [node("Where", "c a b")], {"a": (BATCH, 3, 1), "b": ()}, {"c": np.array([[True, False, True]])}
    ),
    "where by a comparison": Network(
        [node("Greater", "x zero", "c"), node("Where", "c x zero")], X, {"zero": number(0.0)}, values=apart(0)
    ),
}
