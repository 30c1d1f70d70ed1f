import base64
import hashlib

from api.reports.fhir import fhir_bundle
from api.types import DISCLAIMER
from tests.unit.reports.fhir.answers import METHODS, PNG, STUDIES, report
from tests.unit.reports.fhir.reading import linked, resource, resources


def test_there_is_one_for_each_picture_in_their_order() -> None:
    bundle = fhir_bundle(report(methods=METHODS, region=True), None)
    # Of the two layers, the second has nothing to draw.
    assert [each["content"]["title"].split(":")[0] for each in resources(bundle, "Media")] == [
        "Silhouette",
        "Gradient",
        "Saliency",
        "Grad-CAM",
        "Grad-CAM++",
        "Occlusion",
        "Layers",
        "Affected region",
    ]


def test_it_holds_the_picture_as_it_is() -> None:
    media = resource(fhir_bundle(report(), None), "Media")
    content = media["content"]
    assert base64.b64decode(content["data"], validate=True) == PNG
    assert (content["contentType"], content["size"]) == ("image/png", len(PNG))
    assert base64.b64decode(content["hash"], validate=True) == hashlib.sha1(PNG).digest()
    assert (media["width"], media["height"]) == (1, 1)


def test_it_says_by_whom_of_when_and_what_it_does_not_show() -> None:
    bundle = fhir_bundle(report(study=STUDIES["day"]), None)
    media = resource(bundle, "Media")
    assert media["status"] == "completed"
    assert media["createdDateTime"] == "2024-03-05"
    assert linked(bundle, media["device"]) == resource(bundle, "Device")
    assert media["basedOn"] == resource(bundle, "DiagnosticReport")["basedOn"]
    assert [note["text"] for note in media["note"]] == [
        "The picture shows what a method points to, not that there is disease.",
        DISCLAIMER,
    ]
