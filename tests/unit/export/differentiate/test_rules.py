"""Every rule, on networks of one operator: against differences in float64, and in ONNX Runtime."""

import pytest

from export.differentiate.rules import RULES
from tests.unit.export.differentiate import (
    cases_arithmetic,
    cases_convolution,
    cases_elementwise,
    cases_linear,
    cases_normalization,
    cases_pooling,
    cases_rearrangement,
    cases_reduction,
    cases_resizing,
)
from tests.unit.export.differentiate.gradients import check_gradients

FAMILIES = (
    cases_arithmetic,
    cases_convolution,
    cases_elementwise,
    cases_linear,
    cases_normalization,
    cases_pooling,
    cases_rearrangement,
    cases_reduction,
    cases_resizing,
)
CASES = {
    f"{family.__name__.rsplit('_', 1)[1]}: {case}": network
    for family in FAMILIES
    for case, network in family.CASES.items()
}
TESTED_BY_HAND = {"Cast"}  # whose types differ, in test_known_values


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_that_of_differences(case: str) -> None:
    check_gradients(CASES[case])


def test_every_rule_has_a_case() -> None:
    """The operator that a case is about stands first in its network."""
    tested = {network.nodes[0].op_type for network in CASES.values()}
    assert set(RULES) - tested == TESTED_BY_HAND
