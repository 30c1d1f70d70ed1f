"""`GET /`: the page, from files beside the code; it asks no other host for anything."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

import api.ui

_FOLDER = Path(api.ui.__file__).parent
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
_HEADERS = {"Content-Security-Policy": f"{_POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """Show the page."""
    return FileResponse(_FOLDER / "index.html", headers=_HEADERS)


@router.get("/ui/page.js")
async def script() -> FileResponse:
    """Script of the page."""
    return FileResponse(_FOLDER / "page.js", media_type="text/javascript")


@router.get("/ui/page.css")
async def style() -> FileResponse:
    """Style of the page."""
    return FileResponse(_FOLDER / "page.css", media_type="text/css")
