"""`GET /healthz`, `/readyz` and `/v1/models`: what operators ask."""

from fastapi import APIRouter

from api.catalogue import takes_radiographs
from api.http.dependencies import State
from api.http.respond import model_card_out
from api.http.schemas import ModelsOut, StatusOut
from api.readiness import check_ready

router = APIRouter(tags=["operations"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> StatusOut:
    """Tell that the process is alive."""
    return StatusOut(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(state: State) -> StatusOut:
    """Tell that every model which the default methods and the settings need answers; 503 otherwise, naming them."""
    await check_ready(state.pipeline.catalogue, state.pipeline.policy)
    return StatusOut(status="ready")


@router.get("/v1/models")
async def models(state: State) -> ModelsOut:
    """List the models that answer, with their evaluation figures, and what this site's settings make of them."""
    pipeline = state.pipeline
    served = (await pipeline.catalogue.all()).values()
    return ModelsOut(
        models=[model_card_out(model, pipeline.policy.site) for model in served if takes_radiographs(model)]
    )
