"""Reads the one image of a request into memory; nothing of a patient is spooled to disk."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.errors import ImageTooLarge, InvalidRequest, UnsupportedMediaType, UploadTimeout

FIELD = "image"
_IMAGE_TYPES = ("image/png", "image/jpeg", "application/dicom")
_UNDECLARED = ("application/octet-stream", "")
_MULTIPART = "multipart/form-data"
_DRAIN_S = 2.0  # a client whose body is announced as too large has this long to finish sending it
_FORM_OVERHEAD = 64 * 1024  # boundaries and part headers around the file


async def read_image(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Read the image of a request: the form field `image`, or the bare body.

    Parameters
    ----------
    request
        A POST request whose body has not been read.
    max_bytes
        Largest image in bytes.
    timeout_s
        Seconds within which the whole body must arrive, so that stalled uploads cannot occupy the gateway.

    Raises
    ------
    InvalidRequest
        There is no image, it is empty, the form is malformed, or it has other fields.
    UnsupportedMediaType
        The declared media type is not that of a supported image.
    ImageTooLarge
        The image has more than `max_bytes`.
    UploadTimeout
        The body did not arrive in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_image(request, max_bytes)
    except TimeoutError as error:
        raise UploadTimeout(f"The image must arrive within {timeout_s:g} s.") from error


async def _read_image(request: Request, max_bytes: int) -> bytes:
    media_type = _essence(request.headers)
    if media_type == _MULTIPART:
        return await _read_form(request, max_bytes)
    _check_media_type(media_type)
    return _not_empty(await _read_bounded(request, max_bytes))


async def _read_form(request: Request, max_bytes: int) -> bytes:
    body = await _read_bounded(request, max_bytes, overhead=_FORM_OVERHEAD)
    if not body:
        raise InvalidRequest(f"The form must have the file field '{FIELD}'. Received: an empty body.")
    form = await _parse_form(request.headers, body)
    try:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise InvalidRequest(f"The form must have exactly one file field, named '{FIELD}'.")
        _check_media_type(_essence(upload.headers))
        data = await upload.read()
    finally:
        await form.close()
    if len(data) > max_bytes:
        raise _too_many_bytes(max_bytes)
    return _not_empty(data)


async def _parse_form(headers: Headers, body: bytes) -> FormData:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(headers, stream(), max_files=1, max_fields=0)
    parser.spool_max_size = len(body)  # never roll over to a file
    try:
        return await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise InvalidRequest(f"The body must be a well-formed form with one file field '{FIELD}'.") from error


async def _read_bounded(request: Request, max_bytes: int, overhead: int = 0) -> bytes:
    """Read a body that holds an image of at most `max_bytes` and so much overhead.

    What exceeds the limit is read and dropped for a while, up to as much again: a client that is still sending when
    the connection closes would see a broken pipe instead of the answer.
    """
    limit = max_bytes + overhead
    if _declared_length(request.headers) > limit:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await _read_at_most(request, limit)
        raise _too_many_bytes(max_bytes)
    body = await _read_at_most(request, limit)
    if body is None:
        raise _too_many_bytes(max_bytes)
    return body


async def _read_at_most(request: Request, limit: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > 2 * limit:
            break
        else:
            chunks.clear()
    return b"".join(chunks) if size <= limit else None


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0


def _too_many_bytes(limit: int) -> ImageTooLarge:
    return ImageTooLarge(f"The image must have at most {limit} bytes.")


def _essence(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_media_type(media_type: str) -> None:
    if media_type not in (*_IMAGE_TYPES, *_UNDECLARED):
        raise UnsupportedMediaType(
            f"The media type must be application/dicom, image/png or image/jpeg, or {_MULTIPART} with the file field "
            f"'{FIELD}'."
        )


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise InvalidRequest("The image must not be empty. Received: 0 bytes.")
    return data
