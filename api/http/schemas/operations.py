"""What operators ask: the served models, and whether the gateway is well."""

from typing import Any, Literal

from api.http.schemas.base import Schema


class DecisionOut(Schema):
    """What decides at this site: the threshold on P(PNEUMONIA), and the prevalence that this probability assumes."""

    decision_threshold: float
    prevalence: float | None


class ModelCardOut(Schema):
    """A served model. Sizes in pixels; thresholds and prevalences are null for a model that decides nothing.

    `decision_threshold` and `prevalence` are as published, `in_force` as this site's settings make of them.
    """

    name: str
    version: str
    architecture: str
    input_size: dict[Literal["height", "width"], int]
    decision_threshold: float | None
    prevalence: float | None
    in_force: DecisionOut | None
    evaluation: dict[str, Any] | None


class ModelsOut(Schema):
    """Answer of `/v1/models`."""

    models: list[ModelCardOut]


class StatusOut(Schema):
    """Answer of `/healthz` and of a ready `/readyz`."""

    status: Literal["ok", "ready"]
