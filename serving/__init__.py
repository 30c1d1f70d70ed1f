"""Serving of models: which models there are, and one way to run them wherever they run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serving.backend import InferenceBackend


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Where the models run.

    `repository` is read by the embedded backend alone, `triton_urls` (``host:port``, no scheme) by Triton's alone.
    `max_in_flight` bounds the requests that the embedded backend accepts, and that Triton is sent at a time.
    `embedded_threads` is the number of threads for one inference, 0 for as many as the process has cores.
    """

    backend: Literal["embedded", "triton"]
    repository: Path = Path("model_repository")
    triton_urls: tuple[str, ...] = ()
    max_in_flight: int = 32
    embedded_threads: int = 0


async def open_backend(settings: BackendSettings) -> InferenceBackend:
    """Open the backend that the settings name, inside the event loop that will use it.

    Raises
    ------
    ValueError
        A setting is out of range.
    RuntimeError
        The embedded backend is not installed.
    serving.repository.RepositoryError
        The embedded backend cannot serve the repository.
    """
    # Imported here, because a gateway needs only one of ONNX Runtime and the Triton client.
    if settings.backend == "triton":
        from serving.triton import TritonBackend

        return await TritonBackend.open(settings.triton_urls, max_in_flight=settings.max_in_flight)
    try:
        from serving.embedded import EmbeddedBackend
    except ModuleNotFoundError as error:
        raise RuntimeError("The embedded backend needs ONNX Runtime: pip install 'cxr-explain[embedded]'") from error
    return await EmbeddedBackend.open(
        settings.repository, max_in_flight=settings.max_in_flight, threads=settings.embedded_threads
    )
