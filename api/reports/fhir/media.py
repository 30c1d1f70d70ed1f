"""Media: the pictures of an answer."""

import hashlib
from base64 import b64encode

from api.reports.fhir.codes import IMAGE
from api.reports.fhir.context import Context, link
from api.reports.fhir.elements import Json, concept, elements, narrative
from api.reports.fhir.wording import NO_DISEASE_SHOWN
from api.reports.pictures import NamedPicture
from api.types import DISCLAIMER


def media_id(context: Context, picture: NamedPicture) -> str:
    """Give the id of a picture."""
    return context.id_of("Media", picture.name)


def media(context: Context, picture: NamedPicture) -> Json:
    """Give a picture. It is dated like the radiograph that it is drawn on."""
    return elements(
        resourceType="Media",
        id=media_id(context, picture),
        meta=context.meta,
        text=narrative(f"{picture.title}. {NO_DISEASE_SHOWN}", DISCLAIMER),
        basedOn=context.orders,
        status="completed",
        type=concept(IMAGE),
        subject=context.about,
        createdDateTime=context.acquired,
        device=link(context.device_id),
        height=picture.image.height,
        width=picture.image.width,
        content=_attachment(picture),
        note=[{"text": NO_DISEASE_SHOWN}, {"text": DISCLAIMER}],
    )


def _attachment(picture: NamedPicture) -> Json:
    data = picture.image.data
    return {
        "contentType": picture.image.media_type,
        "data": b64encode(data).decode("ascii"),
        "size": len(data),
        # SHA-1 is what FHIR asks for; it tells damage, not forgery.
        "hash": b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii"),
        "title": picture.title,
    }
