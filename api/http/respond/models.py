"""What was published with a model, and what the site's settings make of it."""

from api.catalogue import evaluation, identity, input_size
from api.decision import decision_rule
from api.errors import NotReady
from api.http.schemas.operations import DecisionOut, ModelCardOut
from api.types import SiteDecision
from serving.backend import BackendProtocolError, ModelSpec


def model_card_out(model: ModelSpec, site: SiteDecision) -> ModelCardOut:
    """One entry of `/v1/models`: what was published, and what the site's settings make of it."""
    height, width = input_size(model)
    figures = evaluation(model)
    return ModelCardOut(
        name=model.name,
        version=model.version,
        architecture=identity(model).architecture,
        input_size={"height": height, "width": width},
        decision_threshold=model.release.get("decision_threshold"),
        prevalence=model.release.get("prevalence"),
        in_force=_in_force(model, site),
        evaluation=None if figures is None else dict(figures),
    )


def _in_force(model: ModelSpec, site: SiteDecision) -> DecisionOut | None:
    try:
        rule = decision_rule(model, site)
    except (BackendProtocolError, NotReady):
        return None  # it decides nothing, or cannot be used with these settings: `/readyz` tells
    return DecisionOut(decision_threshold=rule.decision_threshold, prevalence=rule.prevalence)
