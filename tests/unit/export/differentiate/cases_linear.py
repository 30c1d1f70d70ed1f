"""Matrix products."""

from itertools import product

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, node, single
from tests.unit.export.differentiate.tensors import Array


def matrix(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


_GEMMS = {
    f"Gemm, transA={a}, transB={b}": single(
        "Gemm", {"a": (3, 2) if a else (2, 3), "b": (4, 3) if b else (3, 4), "c": (4,)}, transA=a, transB=b, alpha=0.7
    )
    for a, b in product((0, 1), repeat=2)
}
_A_B = {"a": (2, 3), "b": (3, 4)}

CASES = {
    **_GEMMS,
    "Gemm of a batch": single("Gemm", {"x": (BATCH, 3)}, {"b": matrix(4, 3), "c": matrix(4)}, transB=1),
    "Gemm without C": single("Gemm", _A_B, alpha=1.5, beta=0.5),
    "Gemm with C of one row": single("Gemm", {**_A_B, "c": (1, 4)}, beta=0.5),
    "Gemm with C of one column": single("Gemm", {**_A_B, "c": (2, 1)}, beta=-2.0),
    "Gemm with a number for C": single("Gemm", {**_A_B, "c": ()}, alpha=0.5, beta=0.3),
    "Gemm with a full C": single("Gemm", {**_A_B, "c": (2, 4)}),
    "Gemm with a batch of C": single("Gemm", {"x": (BATCH, 3), "b": (3, 4), "c": (BATCH, 4)}),
    "MatMul with a matrix": single("MatMul", {"x": (BATCH, 3)}, {"w": matrix(3, 4)}),
    "MatMul of matrices": single("MatMul", {"a": (2, 3), "b": (3, 4)}),
    "MatMul, batched": single("MatMul", {"a": (BATCH, 2, 3), "b": (BATCH, 3, 4)}),
    "MatMul, one right factor": single("MatMul", {"a": (BATCH, 2, 3), "b": (3, 4)}),
    "MatMul, one left factor": single("MatMul", {"a": (2, 3), "b": (BATCH, 3, 4)}),
    "MatMul, heads": single("MatMul", {"a": (BATCH, 2, 3, 2), "b": (BATCH, 2, 2, 3)}),
    "MatMul, repeated left": single("MatMul", {"a": (BATCH, 1, 2, 3), "b": (BATCH, 2, 3, 2)}),
    "MatMul, repeated right": single("MatMul", {"a": (BATCH, 2, 2, 3), "b": (1, 3, 2)}),
    "MatMul, both repeated": single("MatMul", {"a": (BATCH, 1, 2, 3), "b": (2, 3, 2)}),
    "MatMul with itself": Network([node("MatMul", "x x")], {"x": (BATCH, 3, 3)}),
    "MatMul with itself, transposed": Network(
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t")], {"x": (BATCH, 2, 3)}
    ),
}
