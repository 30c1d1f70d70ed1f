"""Whole networks: gradients in the graph against those by TensorFlow's GradientTape in double precision."""

from dataclasses import dataclass

import keras
import numpy as np
import onnx
import pytest

from tests.unit.export.differentiate.network_gradients import (
    Gradients,
    Images,
    by_onnxruntime,
    by_reference,
    by_tape,
    check_standard,
    convert,
    differentiate,
    errors,
    in_float32,
)
from tests.unit.export.differentiate.network_keras import TOPOLOGIES, build_network, build_small_network

IMAGES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A differentiated network in both precisions, images ``[n, h, w, 3]``, and their gradients by the tape."""

    double: onnx.ModelProto
    single: onnx.ModelProto
    images: Images
    expected: Gradients


@pytest.fixture(scope="module", params=["small", *TOPOLOGIES])
def case(request: pytest.FixtureRequest) -> Case:
    keras.utils.set_random_seed(0)
    topology = TOPOLOGIES.get(request.param)
    images = draw_images(topology.size if topology else 61)
    network = build_network(topology, images) if topology else build_small_network(61, images)
    graph = convert(network)
    return Case(differentiate(graph), differentiate(in_float32(graph)), images, by_tape(network, images))


def draw_images(size: int) -> Images:
    """Draw images with structures of all sizes, about as bright as normalised radiographs."""
    noise = np.random.default_rng(1).uniform(-1, 1, (IMAGES, size, size, 3))
    return 0.3 * noise + 0.1 * np.cumsum(noise, axis=1)


def test_the_expected_gradients_say_something(case: Case) -> None:
    """They neither vanish nor are they the same for every image."""
    for gradient in case.expected:
        assert np.abs(gradient).max() > 1e-5
        assert np.mean(gradient != 0) > 0.2
    flat = case.expected[0].reshape(IMAGES, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(IMAGES)).max() < 0.5


def test_in_double_precision_the_graph_agrees(case: Case) -> None:
    found = by_reference(case.double, case.images[:2])
    assert errors(found, (case.expected[0][:2], case.expected[1][:2])).max() <= 1e-6


@pytest.mark.parametrize("batch", [1, IMAGES])
def test_in_onnxruntime_the_graph_agrees_at_every_batch(case: Case, batch: int) -> None:
    """Judge the median image: in single precision a ReLU near zero may flip, which image's depends on the processor.

    A tape in single precision errs as much there. That no image is wrong is for the test in double precision.
    """
    found = by_onnxruntime(case.single, case.images, batch)
    assert np.median(errors(found, case.expected), axis=1).max() <= 1e-3


def test_the_graph_is_standard(case: Case) -> None:
    check_standard(case.single)
