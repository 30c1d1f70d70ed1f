"""Operators that move, repeat or leave out values."""

from typing import Any

import numpy as np

from tests.unit.export.differentiate.gradients import BATCH, Network, node, single
from tests.unit.export.differentiate.tensors import Array

X = {"x": (BATCH, 4, 6)}
END = 2**63 - 1
START = -(2**63)


def row(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def sliced(starts: Array, ends: Array, axes: Array, steps: Array | None = None) -> Network:
    constants = {"starts": starts, "ends": ends, "axes": axes} | ({} if steps is None else {"steps": steps})
    return single("Slice", X, constants)


def gather(indices: Any, axis: int) -> Network:
    return single("Gather", X, {"indices": np.array(indices, dtype=np.int64)}, axis=axis)


def pad(pads: Array, **attributes: Any) -> Network:
    return single("Pad", X, {"pads": pads, "value": np.array(0.5)}, **attributes)


CASES = {
    "Concat": single("Concat", {"a": (BATCH, 2, 3), "b": (BATCH, 1, 3), "c": (BATCH, 4, 3)}, axis=1),
    "Concat of the last axis": single("Concat", {"a": (BATCH, 2, 3), "b": (BATCH, 2, 1)}, axis=-1),
    "Concat with itself": Network([node("Concat", "x x", axis=2)], X),
    "Concat with a constant": Network([node("Concat", "x c", axis=1)], {"x": (1, 2, 3)}, {"c": np.ones((1, 2, 3))}),
    "Split": Network(
        [node("Split", "x sizes", "a b c", axis=2), node("Concat", "c a b", axis=2)], X, {"sizes": row(1, 2, 3)}
    ),
    "Split with an unused part": Network(
        [node("Split", "x sizes", "a b c", axis=-1), node("Concat", "c a", axis=2)], X, {"sizes": row(1, 2, 3)}
    ),
    "Split into equal parts": Network([node("Split", "x", "a b", axis=1), node("Mul", "a b")], X),
    "Split, a part used twice": Network(
        [node("Split", "x", "a b", axis=1), node("Mul", "a a", "aa"), node("Sub", "aa b")], X
    ),
    "Slice": sliced(row(1), row(3), row(1)),
    "Slice of two axes": sliced(row(1, 2), row(4, 5), row(1, 2)),
    "Slice of axes from behind": sliced(row(1, 2), row(END, -1), row(-1, -2)),
    "Slice to the end": sliced(row(2), row(END), row(2)),
    "Slice from behind": sliced(row(-3), row(-1), row(2)),
    "Slice of everything": sliced(row(0), row(END), row(2)),
    "Slice beyond the end": sliced(row(1), row(100), row(2)),
    "Slice of the batch, all of it": sliced(row(0, 1), row(END, 3), row(0, 1)),
    "Slice, every second": sliced(row(0), row(END), row(2), row(2)),
    "Slice, every third from 1": sliced(row(1), row(END), row(2), row(3)),
    "Slice, backwards": sliced(row(-1), row(START), row(2), row(-1)),
    "Slice, every second backwards": sliced(row(-1), row(START), row(2), row(-2)),
    "Slice, backwards from 3 to 0": sliced(row(3), row(0), row(2), row(-1)),
    "Slice, each axis its step": sliced(row(1, -1), row(END, 0), row(1, 2), row(2, -2)),
    "Slice without axes": single("Slice", {"x": (4, 6)}, {"starts": row(1, 2), "ends": row(3, 5)}),
    "Slice of one value": sliced(row(2), row(3), row(2), row(2)),
    "Pad": pad(row(0, 1, 2, 0, 3, 0)),
    "Pad by negative numbers": pad(row(0, -1, -2, 0, -1, 0)),
    "Pad and cut": pad(row(0, -1, 2, 0, 1, -3)),
    "Pad by nothing": pad(row(0, 0, 0, 0, 0, 0)),
    "Pad without a value": single("Pad", X, {"pads": row(0, 1, 2, 0, 3, 0)}),
    "Pad, named axes": Network(
        [node("Pad", "x pads _ axes")], X, {"pads": row(1, -1, 2, 0), "axes": row(-1, 1)}, opset=18
    ),
    "Reshape": single("Reshape", X, {"shape": row(-1, 3, 8)}),
    "Reshape that copies sizes": single("Reshape", X, {"shape": row(0, 0, 2, 3)}),
    "Reshape to rows": single("Reshape", X, {"shape": row(0, -1)}),
    "Flatten": single("Flatten", X),
    "Flatten of the last axis": Network(
        [node("Flatten", "x", "flat", axis=2), node("Reshape", "flat shape")], X, {"shape": row(-1, 4, 6)}
    ),
    "Squeeze": single("Squeeze", {"x": (BATCH, 1, 3, 1)}, {"axes": row(1)}),
    "Squeeze of two axes": single("Squeeze", {"x": (BATCH, 1, 3, 1)}, {"axes": row(-1, 1)}),
    "Unsqueeze": single("Unsqueeze", X, {"axes": row(2)}),
    "Unsqueeze of two axes": single("Unsqueeze", X, {"axes": row(-1, 1)}),
    "Transpose": single("Transpose", {"x": (BATCH, 2, 3, 4)}, perm=[0, 2, 3, 1]),
    "Transpose, reversed": single("Transpose", {"x": (2, 3, 4)}),
    "Transpose there and back": Network(
        [node("Transpose", "x", "t", perm=[1, 2, 0]), node("Transpose", "t", perm=[2, 0, 1])], X
    ),
    "Expand": single("Expand", {"x": (BATCH, 1, 3)}, {"shape": row(1, 4, 3)}),
    "Expand by smaller sizes": single("Expand", {"x": (BATCH, 2, 1)}, {"shape": row(5)}),
    "Expand to more axes": single("Expand", {"x": (3, 1)}, {"shape": row(2, 3, 4)}),
    "Tile": single("Tile", X, {"repeats": row(1, 2, 3)}),
    "Tile once": single("Tile", X, {"repeats": row(1, 1, 1)}),
    "Gather a number": gather(2, 1),
    "Gather from behind": gather(-1, 2),
    "Gather a row": gather([1, 3], 1),
    "Gather neighbours": gather([1, 2, 3], 2),
    "Gather in another order": gather([3, 0, 2, 1], 1),
    "Gather repeatedly": gather([1, 1, 3, 1, -1], 2),
    "Gather from an axis counted from behind": gather([0, 2], -1),
    "DepthToSpace": single("DepthToSpace", {"x": (BATCH, 8, 2, 3)}, blocksize=2),
    "DepthToSpace by columns": single("DepthToSpace", {"x": (BATCH, 8, 2, 3)}, blocksize=2, mode="CRD"),
    "DepthToSpace in blocks of 3": single("DepthToSpace", {"x": (BATCH, 9, 2, 1)}, blocksize=3, mode="CRD"),
    "SpaceToDepth": single("SpaceToDepth", {"x": (BATCH, 2, 4, 6)}, blocksize=2),
}
