"""From the pipeline's terms to the JSON of the contract."""

from api.http.respond.answer import explain_out, predict_out
from api.http.respond.models import model_card_out

__all__ = ["explain_out", "model_card_out", "predict_out"]
