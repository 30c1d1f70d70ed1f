"""Random networks of each family of operators, against differences in float64 and ONNX Runtime in float32."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.export.differentiate.gradients import BATCH, Network, check_gradients, node, single
from tests.unit.export.differentiate.tensors import Array, apart, distinct, positive

random_networks = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 1000)
batches = st.integers(1, 3)


def weights(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def inputs_of(*sizes: int) -> dict[str, tuple[int | str, ...]]:
    """Make the shape of the only input, with one entry for each image."""
    return {"x": (BATCH, *sizes)}


@dataclass(frozen=True, slots=True)
class Window:
    """One spatial axis of a convolution or a pooling."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        return self.dilation * (self.kernel - 1) + 1


@st.composite
def windows(draw: st.DrawFn, largest_pad: int | None = None, dilations: int = 2) -> Window:
    """Draw an axis on which at least one window fits; by default, pads stay below the kernel."""
    kernel, stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, dilations))
    pads = st.integers(0, kernel - 1 if largest_pad is None else largest_pad)
    before, after = draw(pads), draw(pads)
    smallest = max(1, dilation * (kernel - 1) + 1 - before - after)
    return Window(draw(st.integers(smallest, smallest + 4)), kernel, stride, dilation, before, after)


def attributes_of(axes: Sequence[Window]) -> dict[str, Any]:
    return {
        "strides": [axis.stride for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "pads": [*(axis.before for axis in axes), *(axis.after for axis in axes)],
    }


def automatic(axes: Sequence[Window], auto_pad: str) -> dict[str, Any]:
    """Leave the padding to the operator; without any, every window must fit, and SAME forbids dilation."""
    assume(all(axis.size >= axis.extent if auto_pad == "VALID" else axis.dilation == 1 for axis in axes))
    attributes = attributes_of(axes)
    del attributes["pads"]
    return {**attributes, "auto_pad": auto_pad}


def padding(axes: Sequence[Window], auto_pad: str) -> dict[str, Any]:
    return attributes_of(axes) if auto_pad == "NOTSET" else automatic(axes, auto_pad)


auto_pads = st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
factors = st.one_of(st.floats(-2, -0.1), st.floats(0.1, 2))
channels = st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))


@random_networks
@given(st.lists(windows(largest_pad=4), min_size=1, max_size=2), channels, auto_pads, batches, seeds)
def test_convolution(axes: list[Window], counts: tuple[int, int, int], auto_pad: str, images: int, seed: int) -> None:
    group, inputs, outputs = counts
    shape = inputs_of(group * inputs, *(axis.size for axis in axes))
    kernel = weights(group * outputs, inputs, *(axis.kernel for axis in axes))
    check_gradients(
        single("Conv", shape, {"w": kernel}, images=images, group=group, **padding(axes, auto_pad)), seed=seed
    )


@random_networks
@given(st.lists(windows(largest_pad=2), min_size=1, max_size=2), channels, st.integers(0, 2), batches, seeds)
def test_transposed_convolution(
    axes: list[Window], counts: tuple[int, int, int], surplus: int, images: int, seed: int
) -> None:
    group, inputs, outputs = counts
    surpluses = [min(surplus, axis.stride - 1) for axis in axes]
    for axis, more in zip(axes, surpluses, strict=True):
        assume(axis.stride * (axis.size - 1) + axis.extent + more - axis.before - axis.after >= 1)
    network = single(
        "ConvTranspose",
        inputs_of(group * inputs, *(axis.size for axis in axes)),
        {"w": weights(group * inputs, outputs, *(axis.kernel for axis in axes))},
        images=images,
        group=group,
        output_padding=surpluses,
        **attributes_of(axes),
    )
    check_gradients(network, seed=seed)


def ends_within(axis: Window) -> bool:
    """Tell whether, rounding up, the last window still starts at a value."""
    count = math.ceil((axis.size + axis.before + axis.after - axis.extent) / axis.stride) + 1
    return (count - 1) * axis.stride < axis.size + axis.before


def pooling(axes: Sequence[Window], auto_pad: str, up: bool) -> dict[str, Any]:
    """Leave out what ONNX Runtime refuses: SAME at a stride beyond the kernel, and windows with padding alone."""
    assume(all(axis.size >= axis.dilation for axis in axes))
    if auto_pad == "NOTSET":
        assume(not up or all(map(ends_within, axes)))
        return {**attributes_of(axes), "ceil_mode": int(up)}
    assume(auto_pad == "VALID" or all(axis.kernel >= axis.stride for axis in axes))
    return automatic(axes, auto_pad)


def pool(op_type: str, axes: Sequence[Window], images: int, **attributes: Any) -> Network:
    shape = inputs_of(2, *(axis.size for axis in axes))
    kernel = [axis.kernel for axis in axes]
    return single(op_type, shape, images=images, values=distinct, kernel_shape=kernel, **attributes)


@random_networks
@given(st.lists(windows(), min_size=1, max_size=2), auto_pads, st.booleans(), batches, seeds)
def test_max_pool(axes: list[Window], auto_pad: str, up: bool, images: int, seed: int) -> None:
    check_gradients(pool("MaxPool", axes, images, **pooling(axes, auto_pad, up)), seed=seed)


@random_networks
@given(st.lists(windows(dilations=1), min_size=1, max_size=2), auto_pads, st.booleans(), st.booleans(), batches, seeds)
def test_average_pool(axes: list[Window], auto_pad: str, up: bool, counted: bool, images: int, seed: int) -> None:
    attributes = {**pooling(axes, auto_pad, up), "count_include_pad": int(counted)}
    del attributes["dilations"]
    check_gradients(pool("AveragePool", axes, images, **attributes), seed=seed)


@st.composite
def broadcast(draw: st.DrawFn, count: int) -> list[tuple[int | str, ...]]:
    """Draw shapes that fit together, the first with one entry for each image, and the sizes of the result."""
    result = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    shapes: list[tuple[int | str, ...]] = []
    for number in range(count):
        sizes = [draw(st.sampled_from([size, 1])) for size in result]
        batch = BATCH if number == 0 else draw(st.sampled_from([BATCH, 1, None]))
        left_out = draw(st.integers(0, len(sizes))) if batch is None else 0
        shapes.append(tuple(sizes[left_out:]) if batch is None else (batch, *sizes))
    return shapes


@random_networks
@given(st.sampled_from(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"]), broadcast(2), st.booleans(), batches, seeds)
def test_two_tensors(op_type: str, shapes: list[tuple[int | str, ...]], turned: bool, images: int, seed: int) -> None:
    inputs = dict(zip(("a", "b"), shapes, strict=True))
    network = Network([node(op_type, "b a" if turned else "a b")], inputs, images=images, values=positive)
    check_gradients(network, seed=seed)


@random_networks
@given(st.sampled_from(["Sum", "Mean", "Max", "Min"]), broadcast(3), batches, seeds)
def test_three_tensors(op_type: str, shapes: list[tuple[int | str, ...]], images: int, seed: int) -> None:
    check_gradients(single(op_type, dict(zip(("a", "b", "c"), shapes, strict=True)), images=images), seed=seed)


@random_networks
@given(broadcast(2), st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)), batches, seeds)
def test_matrix_products(
    shapes: list[tuple[int | str, ...]], sizes: tuple[int, int, int], images: int, seed: int
) -> None:
    rows, inner, columns = sizes
    inputs = {"a": (*shapes[0], rows, inner), "b": (*shapes[1], inner, columns)}
    check_gradients(single("MatMul", inputs, images=images), seed=seed)


@random_networks
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(factors, factors),
    st.sampled_from(["full", "row", "column", "number", "none"]),
    seeds,
)
def test_gemm(
    sizes: tuple[int, int, int], turned: tuple[bool, bool], scales: tuple[float, float], c: str, seed: int
) -> None:
    rows, inner, columns = sizes
    shapes = {"full": (rows, columns), "row": (columns,), "column": (rows, 1), "number": ()}
    inputs: dict[str, tuple[int, ...]] = {
        "a": (inner, rows) if turned[0] else (rows, inner),
        "b": (columns, inner) if turned[1] else (inner, columns),
    }
    inputs |= {"c": shapes[c]} if c in shapes else {}
    transposed: dict[str, Any] = {"transA": int(turned[0]), "transB": int(turned[1])}
    check_gradients(single("Gemm", inputs, alpha=scales[0], beta=scales[1], **transposed), seed=seed)


sizes_of_maps = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@random_networks
@given(
    st.sampled_from(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"]),
    sizes_of_maps,
    st.data(),
    st.booleans(),
    seeds,
)
def test_reductions(op_type: str, sizes: list[int], data: st.DataObject, keepdims: bool, seed: int) -> None:
    rank = len(sizes) + 1
    places = data.draw(st.lists(st.integers(1, rank - 1), min_size=1, unique=True))
    axes = [place - rank if data.draw(st.booleans()) else place for place in places]
    by_input = op_type == "ReduceSum"
    given_axes: dict[str, Any] = {} if by_input else {"axes": axes}
    constants = {"axes": np.array(axes)} if by_input else {}
    network = single(op_type, inputs_of(*sizes), constants, values=distinct, keepdims=int(keepdims), **given_axes)
    check_gradients(network, seed=seed)


@random_networks
@given(st.sampled_from(["Softmax", "LogSoftmax"]), sizes_of_maps, st.data(), seeds)
def test_softmax(op_type: str, sizes: list[int], data: st.DataObject, seed: int) -> None:
    axis = data.draw(st.integers(1, len(sizes))) - data.draw(st.sampled_from([0, len(sizes) + 1]))
    check_gradients(single(op_type, inputs_of(*sizes), axis=axis), seed=seed)


@random_networks
@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.data(), st.floats(1e-3, 1), seeds)
def test_layer_normalization(sizes: list[int], data: st.DataObject, epsilon: float, seed: int) -> None:
    axis = data.draw(st.integers(1, len(sizes)))
    scale = {"scale": weights(*sizes[axis - 1 :])}
    check_gradients(single("LayerNormalization", inputs_of(*sizes), scale, axis=axis, epsilon=epsilon), seed=seed)


@random_networks
@given(st.lists(st.integers(2, 4), min_size=1, max_size=2), st.floats(1e-3, 1), batches, seeds)
def test_normalization_of_channels(sizes: list[int], epsilon: float, images: int, seed: int) -> None:
    statistics = {"scale": weights(2), "bias": weights(2)}
    shape = inputs_of(2, *sizes)
    check_gradients(single("InstanceNormalization", shape, statistics, images=images, epsilon=epsilon), seed=seed)
    statistics |= {"mean": weights(2), "variance": weights(2) ** 2}
    check_gradients(single("BatchNormalization", shape, statistics, images=images, epsilon=epsilon), seed=seed)


@random_networks
@given(st.floats(0.05, 2), st.floats(-1, 1), st.floats(0.2, 3), seeds)
def test_activations_with_parameters(alpha: float, low: float, width: float, seed: int) -> None:
    shape = inputs_of(4)
    for op_type in ("LeakyRelu", "Elu", "Selu"):
        check_gradients(single(op_type, shape, values=apart(0), alpha=alpha), seed=seed)
    check_gradients(single("PRelu", shape, {"slope": alpha * weights(4)}, values=apart(0)), seed=seed)
    limits = {"low": np.array(low), "high": np.array(low + width)}
    check_gradients(single("Clip", shape, limits, values=apart(low, low + width)), seed=seed)
    kinks = apart((0 - low) / alpha, (1 - low) / alpha)
    check_gradients(single("HardSigmoid", shape, values=kinks, alpha=alpha, beta=low), seed=seed)


def slices_that_take_something(size: int) -> list[tuple[int, int, int]]:
    ends = (-(2**63), *range(-6, 7), 2**31 - 1, 2**63 - 1)
    every = itertools.product(range(-6, 7), ends, (1, 2, 3, -1, -2))
    return [(start, end, step) for start, end, step in every if range(*slice(start, end, step).indices(size))]


@random_networks
@given(sizes_of_maps, st.data(), seeds)
def test_slices(sizes: list[int], data: st.DataObject, seed: int) -> None:
    places = data.draw(st.lists(st.integers(1, len(sizes)), min_size=1, unique=True))
    rows = []
    for place in places:
        start, end, step = data.draw(st.sampled_from(slices_that_take_something(sizes[place - 1])))
        rows.append((start, end, place, step))
    columns = dict(zip(("starts", "ends", "axes", "steps"), map(np.array, zip(*rows, strict=True)), strict=True))
    check_gradients(single("Slice", inputs_of(*sizes), columns), seed=seed)


@random_networks
@given(sizes_of_maps, st.data(), seeds)
def test_padding(sizes: list[int], data: st.DataObject, seed: int) -> None:
    pairs = [(data.draw(st.integers(-2, 3)), data.draw(st.integers(-2, 3))) for _ in sizes]
    for size, pair in zip(sizes, pairs, strict=True):
        assume(size + min(pair) > 0 and size + sum(min(0, each) for each in pair) > 0)
    pads = np.array([0, *(before for before, _ in pairs), 0, *(after for _, after in pairs)])
    check_gradients(single("Pad", inputs_of(*sizes), {"pads": pads, "value": np.array(0.7)}), seed=seed)


@random_networks
@given(sizes_of_maps, st.data(), seeds)
def test_gathering(sizes: list[int], data: st.DataObject, seed: int) -> None:
    axis = data.draw(st.integers(1, len(sizes)))
    places = st.integers(-sizes[axis - 1], sizes[axis - 1] - 1)
    indices = np.array(data.draw(st.one_of(places, st.lists(places, min_size=1, max_size=6))))
    given_axis = axis - data.draw(st.sampled_from([0, len(sizes) + 1]))
    check_gradients(single("Gather", inputs_of(*sizes), {"indices": indices}, axis=given_axis), seed=seed)


@random_networks
@given(sizes_of_maps, st.data(), seeds)
def test_shapes_and_orders(sizes: list[int], data: st.DataObject, seed: int) -> None:
    """Transpose, then Reshape, Unsqueeze, Squeeze, Tile and Expand in one chain."""
    order = data.draw(st.permutations(range(1, len(sizes) + 1)))
    repeats = [data.draw(st.integers(1, 3)) for _ in sizes]
    count = math.prod(sizes)
    rows = data.draw(st.sampled_from([each for each in range(1, count + 1) if count % each == 0]))
    nodes = [
        node("Transpose", "x", "turned", perm=[0, *order]),
        node("Reshape", "turned shape", "table"),
        node("Unsqueeze", "table place", "deep"),
        node("Expand", "deep wide", "wider"),
        node("Reshape", "wider like_x", "back"),
        node("Tile", "back repeats"),
    ]
    constants = {
        "shape": np.array([-1, rows, count // rows]),
        "place": np.array([data.draw(st.sampled_from([1, 2, -1]))]),
        "wide": np.ones(4, np.int64),
        "like_x": np.array([-1, *sizes]),
        "repeats": np.array([1, *repeats]),
    }
    check_gradients(Network(nodes, inputs_of(*sizes), constants), seed=seed)


@random_networks
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 3), st.booleans(), batches, seeds)
def test_joining_and_splitting(parts: list[int], other: int, last: bool, images: int, seed: int) -> None:
    """Split, turn the parts around and leave one out, and join them again with the whole."""
    axis = 2 if last else 1
    shape = (other, sum(parts)) if last else (sum(parts), other)
    names = [f"part{number}" for number in range(len(parts))]
    used = " ".join([*reversed(names[1:]), "x", names[-1]])
    nodes = [
        node("Split", "x sizes", " ".join(names), axis=axis - 3 if last else axis),
        node("Concat", used, axis=axis),
    ]
    check_gradients(Network(nodes, inputs_of(*shape), {"sizes": np.array(parts)}, images=images), seed=seed)


@random_networks
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.sampled_from(["DCR", "CRD"]), seeds
)
def test_blocks(block: int, height: int, width: int, maps: int, mode: str, seed: int) -> None:
    deep, wide = (maps * block**2, height, width), (maps, height * block, width * block)
    check_gradients(single("DepthToSpace", inputs_of(*deep), blocksize=block, mode=mode), seed=seed)
    check_gradients(single("SpaceToDepth", inputs_of(*wide), blocksize=block), seed=seed)


@random_networks
@given(
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
    st.tuples(st.sampled_from([0.5, 0.75, 1.0, 1.5, 2.0, 3.0]), st.sampled_from([0.4, 1.0, 1.25, 2.0])),
    st.sampled_from(["nearest", "linear", "cubic"]),
    st.sampled_from(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]),
    seeds,
)
def test_resizing(sizes: tuple[int, int], scales: tuple[float, float], mode: str, coordinates: str, seed: int) -> None:
    """Where onnx.reference and ONNX Runtime agree on the result.

    ONNX Runtime rounds places in float32, which at a tie decides what is nearest; and it copies an image that keeps
    its size, whatever the factors. What shrinks to a single value in the way of PyTorch, and aligned corners where a
    factor is rounded, are worked out by hand elsewhere: onnx.reference has them wrong.
    """
    factors = {"scales": np.array([1, 1, *scales], np.float32)}
    resize = node("Resize", "x _ scales", mode=mode, coordinate_transformation_mode=coordinates)
    network = Network([resize], inputs_of(1, *sizes), factors)
    results = [math.floor(size * scale) for size, scale in zip(sizes, scales, strict=True)]
    assume(coordinates != "align_corners" or np.allclose(results, np.multiply(sizes, scales)))
    assume(min(results) >= (2 if coordinates == "pytorch_half_pixel" else 1) and (*results,) != sizes)
    check_gradients(dataclasses.replace(network, in_runtime=mode != "nearest"), seed=seed)
