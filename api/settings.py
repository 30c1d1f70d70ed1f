"""Settings of the gateway: environment variables with the prefix `CXR_`, listed in `.env.example`."""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CXR_"
_MIB = 2**20
_MOST_PIXELS = 178_956_970  # beyond it Pillow, which draws the overlays, speaks of decompression bombs
_SHORTEST_KEY = 16
# Known to the design and not built yet: silently ignoring one of these could leave a hospital unprotected.
_NOT_BUILT = {
    "CXR_API_KEYS": "authentication is not built yet; leave it empty and restrict access in front of the gateway",
}
# Not the gateway's: the test suite's own variable, and what Kubernetes derives from a service named cxr-something.
_FOREIGN = re.compile(r"CXR_REQUIRE_ALL|CXR_\w+_SERVICE_(HOST|PORT)(_\w+)?|CXR_\w+_PORT(_\d+_\w+)?")


class Settings(BaseSettings):
    """What an operator can decide. Every field is the variable of the same name in capitals, after `CXR_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    backend: Literal["embedded", "triton"] = "embedded"
    triton_url: Annotated[tuple[str, ...], NoDecode] = ()
    model_repository: Path = Path(__file__).parent.parent / "model_repository"
    max_upload_bytes: Annotated[int, Field(ge=1)] = 32 * _MIB
    max_pixels: Annotated[int, Field(ge=1, le=_MOST_PIXELS)] = 50_000_000
    quality_gate: Literal["on", "off"] = "on"
    prevalence: Annotated[float | None, Field(gt=0, lt=1)] = None
    decision_threshold: Annotated[float | None, Field(gt=0, lt=1)] = None
    request_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 64
    max_in_flight: Annotated[int, Field(ge=1)] = 64
    receipt_key: SecretStr | None = None
    worker_threads: Annotated[int, Field(ge=1)] = min(4, max(2, os.cpu_count() or 2))

    @field_validator("triton_url", mode="before")
    @classmethod
    def _split_urls(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("triton_url")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            host, _, port = url.rpartition(":")
            if "/" in url or not host or not port.isdigit():
                raise ValueError(f"must be host:port without a scheme, such as triton:8001. Received: {url}")
        return urls

    @field_validator("receipt_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key) < _SHORTEST_KEY:
            raise ValueError(f"must have at least {_SHORTEST_KEY} characters, better 64. Received: {len(key)}")
        return key

    @model_validator(mode="after")
    def _check_backend(self) -> "Settings":
        if self.backend == "embedded" and not self.model_repository.is_dir():
            raise ValueError("CXR_MODEL_REPOSITORY must name a folder; only a checkout of the project has a default")
        if (self.backend == "triton") != bool(self.triton_url):
            raise ValueError("CXR_TRITON_URL must be set with CXR_BACKEND=triton, and only then")
        return self


class UnknownSetting(ValueError):
    """A variable with the gateway's prefix is not a setting, or one that is not built yet."""


def read_settings() -> Settings:
    """Read the settings from the process environment.

    Raises
    ------
    UnknownSetting
        A variable with the prefix would have no effect: it is misspelt or not built yet.
    pydantic.ValidationError
        A value is out of range.
    """
    for name, value in os.environ.items():
        if value and name.upper().startswith(PREFIX):
            _refuse_without_effect(name.upper())
    return Settings()


def _refuse_without_effect(name: str) -> None:
    if name in _NOT_BUILT:
        raise UnknownSetting(f"{name}: {_NOT_BUILT[name]}.")
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    if name not in known and not _FOREIGN.fullmatch(name):
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise UnknownSetting(f"{name}: there is no such setting.{hint}")
