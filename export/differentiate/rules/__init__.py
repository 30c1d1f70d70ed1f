"""The rules: how the gradient of a node's output becomes that of its inputs, one entry for each operator."""

from collections.abc import Mapping

from export.differentiate.rules.arithmetic import ARITHMETIC_RULES
from export.differentiate.rules.convolution import CONVOLUTION_RULES
from export.differentiate.rules.elementwise import ELEMENTWISE_RULES
from export.differentiate.rules.linear import LINEAR_RULES
from export.differentiate.rules.normalization import NORMALIZATION_RULES
from export.differentiate.rules.pooling import POOLING_RULES
from export.differentiate.rules.rearrangement import REARRANGEMENT_RULES
from export.differentiate.rules.reduction import REDUCTION_RULES
from export.differentiate.rules.resizing import RESIZING_RULES
from export.differentiate.step import Rule

RULES: Mapping[str, Rule] = {
    **ARITHMETIC_RULES,
    **CONVOLUTION_RULES,
    **ELEMENTWISE_RULES,
    **LINEAR_RULES,
    **NORMALIZATION_RULES,
    **POOLING_RULES,
    **REARRANGEMENT_RULES,
    **REDUCTION_RULES,
    **RESIZING_RULES,
}
