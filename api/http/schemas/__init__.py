"""The JSON of REST contract version 1, as it stands on the wire."""

from api.http.schemas.answer import ExplainOut, PredictOut
from api.http.schemas.operations import ModelsOut, StatusOut
from api.http.schemas.query import ExplainQuery, PredictQuery

__all__ = ["ExplainOut", "ExplainQuery", "ModelsOut", "PredictOut", "PredictQuery", "StatusOut"]
