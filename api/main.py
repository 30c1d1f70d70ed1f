"""Builds the application. Nothing happens at import."""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import GatewayError
from api.http.dependencies import Admission, GatewayState
from api.http.middleware import AccessLogMiddleware, CorrelationMiddleware, LastResortMiddleware
from api.http.problems import answer_exception
from api.http.routes import operations, page, radiographs
from api.pipeline import Pipeline
from api.settings import Settings
from api.types import Policy, SiteDecision
from serving import BackendSettings, open_backend
from serving.backend import BackendError, InferenceBackend

OpenBackend = Callable[[BackendSettings], Awaitable[InferenceBackend]]


def create_app(settings: Settings, *, open_backend: OpenBackend = open_backend) -> FastAPI:
    """Build the gateway.

    Parameters
    ----------
    settings
        What the operator decided.
    open_backend
        Opens the model backend when the application starts; tests replace it.
    """
    app = FastAPI(
        title="CXR Explain",
        version=version("cxr-explain"),
        description="Reads a chest radiograph, says NORMAL or PNEUMONIA and shows why. Not a medical device.",
        lifespan=_lifespan(settings, open_backend),
        # A redirect would name the host that the client claimed, and make it send the radiograph a second time.
        redirect_slashes=False,
        # The framework's own pages load scripts from another host; `routes.page` has one that does not.
        docs_url=None,
        redoc_url=None,
    )
    for router in (radiographs.router, operations.router, page.router):
        app.include_router(router)
    for error in (GatewayError, BackendError, RequestValidationError, HTTPException):
        app.add_exception_handler(error, answer_exception)
    # The last one added is the outermost: the id is known to the log line and to the last resort.
    for middleware in (LastResortMiddleware, AccessLogMiddleware, CorrelationMiddleware):
        app.add_middleware(middleware)
    return app


def _lifespan(settings: Settings, open_backend: OpenBackend) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        backend = await open_backend(_backend_settings(settings))
        workers = ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="imaging")
        try:
            app.state.gateway = _state(settings, backend, workers)
            yield
        finally:
            workers.shutdown(wait=False, cancel_futures=True)
            await backend.close()

    return lifespan


def _state(settings: Settings, backend: InferenceBackend, workers: ThreadPoolExecutor) -> GatewayState:
    policy = Policy(
        max_pixels=settings.max_pixels,
        request_timeout_s=settings.request_timeout_s,
        refuse_other_images=settings.quality_gate == "on",
        site=SiteDecision(settings.prevalence, settings.decision_threshold),
        service_version=version("cxr-explain"),
        receipt_key=settings.receipt_key.get_secret_value().encode() if settings.receipt_key else None,
    )
    return GatewayState(settings, Pipeline(backend, workers, policy), Admission(settings.max_concurrent_requests))


def _backend_settings(settings: Settings) -> BackendSettings:
    return BackendSettings(
        backend=settings.backend,
        repository=settings.model_repository,
        triton_urls=settings.triton_url,
        max_in_flight=settings.max_in_flight,
    )
