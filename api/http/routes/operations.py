"""`GET /healthz`, `/readyz` and `/v1/models`: what operators ask."""

from fastapi import APIRouter

from api.catalogue import CLASSIFIER
from api.explain import DEFAULT_METHODS, METHODS
from api.http.dependencies import State
from api.http.respond import model_card_out
from api.http.schemas import ModelsOut, StatusOut

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> StatusOut:
    """Tell that the process is alive."""
    return StatusOut(status="ok")


@router.get("/readyz")
async def readyz(state: State) -> StatusOut:
    """Tell that every model which the default methods need answers; 503 otherwise."""
    catalogue = state.pipeline.catalogue
    catalogue.forget()
    for name in (CLASSIFIER, *(model for method in DEFAULT_METHODS for model in METHODS[method].models)):
        await catalogue.find(name)
    return StatusOut(status="ready")


@router.get("/v1/models")
async def models(state: State) -> ModelsOut:
    """List the models that answer, with their evaluation figures."""
    return ModelsOut(models=[model_card_out(model) for model in (await state.pipeline.catalogue.all()).values()])
