"""Grad-CAM and Grad-CAM++: where the feature maps of the last convolution speak for PNEUMONIA.

Selvaraju et al. 2017, arXiv:1610.02391, and Chattopadhay et al. 2018, arXiv:1710.11063. Both are not negative and as
coarse as that layer, for example 7 x 7.
"""

from api.explain.graph_map import ask_for_map, measure_map, published_scale
from api.types import Explainer, ExplainOptions, MapUnit, Subject


def explain_grad_cam(subject: Subject, options: ExplainOptions) -> Explainer:
    """Ask for the Grad-CAM map of the radiograph. Its values are shares of the log-odds."""
    return _explain("grad_cam", "log-odds", subject, options)


def explain_grad_cam_plus_plus(subject: Subject, options: ExplainOptions) -> Explainer:
    """Ask for the Grad-CAM++ map of the radiograph. Its values rank places and add up to nothing."""
    return _explain("grad_cam_plus_plus", "arbitrary units", subject, options)


def _explain(output: str, unit: MapUnit, subject: Subject, options: ExplainOptions) -> Explainer:
    scale = published_scale(subject, output, unit)
    values = yield from ask_for_map(subject, output)
    return measure_map(values, scale, options.threshold)
