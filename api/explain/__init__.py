"""Explanations: one file per method, pure functions on arrays.

A method is a function from a `Subject` and the client's options to a generator. If it needs inference, it yields a
`Question` and is sent the `Answer`, as often as it likes; it returns its finding. `api.rounds` runs several methods
side by side, and only the pipeline talks to the model server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.explain.grad_cam import explain_grad_cam, explain_grad_cam_plus_plus
from api.explain.gradient import explain_gradient
from api.explain.layers import explain_layers
from api.explain.occlusion import explain_occlusion
from api.explain.saliency import explain_saliency
from api.explain.silhouette import explain_silhouette
from api.types import Explainer, ExplainOptions, Subject

STUDY_SIZE = 128


@dataclass(frozen=True, slots=True)
class Method:
    """A way to explain. `models` names those whose answers or releases it needs."""

    explain: Callable[[Subject, ExplainOptions], Explainer]
    models: tuple[str, ...] = ()


METHODS: Mapping[str, Method] = {
    "silhouette": Method(explain_silhouette),
    "gradient": Method(explain_gradient, models=("pixel_importance",)),
    "saliency": Method(explain_saliency, models=("classifier_explain",)),
    "grad_cam": Method(explain_grad_cam, models=("classifier_explain",)),
    "grad_cam_plus_plus": Method(explain_grad_cam_plus_plus, models=("classifier_explain",)),
    "occlusion": Method(explain_occlusion, models=("classifier",)),
    "layers": Method(explain_layers, models=("classifier_explain",)),
}
DEFAULT_METHODS = ("silhouette", "gradient")
