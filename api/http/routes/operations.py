"""`GET /healthz`, `/readyz` and `/v1/models`: what operators ask."""

from fastapi import APIRouter

from api.catalogue import CLASSIFIER, takes_radiographs
from api.decision import decision_rule
from api.explain import DEFAULT_METHODS, METHODS
from api.http.dependencies import State
from api.http.respond import model_card_out
from api.http.schemas import ModelsOut, StatusOut

router = APIRouter(tags=["operations"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> StatusOut:
    """Tell that the process is alive."""
    return StatusOut(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(state: State) -> StatusOut:
    """Tell that every model which the default methods need answers; 503 otherwise."""
    catalogue = state.pipeline.catalogue
    catalogue.forget()
    decision_rule(await catalogue.find(CLASSIFIER))
    for name in (model for method in DEFAULT_METHODS for model in METHODS[method].models):
        await catalogue.find(name)
    return StatusOut(status="ready")


@router.get("/v1/models")
async def models(state: State) -> ModelsOut:
    """List the models that answer, with their evaluation figures."""
    served = (await state.pipeline.catalogue.all()).values()
    return ModelsOut(models=[model_card_out(model) for model in served if takes_radiographs(model)])
