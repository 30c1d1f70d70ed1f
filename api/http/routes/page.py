"""`GET /` and `GET /docs`: pages from files beside the code; they ask no other host for anything."""

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from starlette.responses import FileResponse

import api.ui

_FOLDER = Path(api.ui.__file__).parent
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
_HEADERS = {"Content-Security-Policy": f"{_POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """Show the page."""
    return FileResponse(_FOLDER / "index.html", headers=_HEADERS)


@router.get("/docs")
async def docs() -> FileResponse:
    """Show the interface, drawn from `/openapi.json`."""
    return FileResponse(_FOLDER / "docs.html", headers=_HEADERS)


@router.get("/ui/{name}")
async def asset(name: Literal["page.js", "page.css", "docs.js"]) -> FileResponse:
    """Give a script or style of the pages."""
    return FileResponse(_FOLDER / name, media_type=_MEDIA_TYPES[Path(name).suffix])
