"""Saliency: how much each pixel would move the answer if it were a little brighter or darker.

The gradient of the class score with respect to the image (Simonyan, Vedaldi and Zisserman 2014, "Deep inside
convolutional networks", section 3), here of the calibrated log-odds of PNEUMONIA per grey level.
"""

import numpy as np

from api.explain.graph_map import ask_for_map, measure_map, published_scale
from api.types import Explainer, ExplainOptions, Subject

_OUTPUT = "saliency"


def explain_saliency(subject: Subject, options: ExplainOptions) -> Explainer:
    """Ask for the gradient at each pixel and keep its absolute value; its sign says which way the answer moves."""
    scale = published_scale(subject, _OUTPUT, "log-odds per grey level")
    gradient = yield from ask_for_map(subject, _OUTPUT)
    return measure_map(np.abs(gradient), scale, options.threshold, pixelwise=True)
