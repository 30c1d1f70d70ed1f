"""The pictures of an answer as one list, for documents that hold each as a part of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from api.types import EncodedImage, Explanation, LayersFinding, Report


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture of an answer. `name` is unique in it, `method` is what made it, `title` says what is seen."""

    name: str
    method: str
    title: str
    image: EncodedImage


_TITLES = {
    "silhouette": "Silhouette: the whitest region",
    "gradient": "Gradient: the most important pixels",
    "saliency": "Saliency: how the log-odds change with each pixel",
    "grad_cam": "Grad-CAM: where the last convolution speaks for PNEUMONIA",
    "grad_cam_plus_plus": "Grad-CAM++: where the last convolution speaks for PNEUMONIA",
    "occlusion": "Occlusion: what the log-odds lose when a region is hidden",
}


def pictures_of(report: Report) -> tuple[NamedPicture, ...]:
    """List the overlays of an answer: of each method in its order, then that of the affected region."""
    found = [picture for name, e in (report.explanations or {}).items() for picture in _of_method(name, e)]
    if report.affected_region is not None:
        title = "Affected region: the part of the lungs that most methods point to"
        found.append(NamedPicture("affected_region", "agreement", title, report.affected_region.overlay))
    return tuple(found)


def _of_method(method: str, explanation: Explanation) -> Iterator[NamedPicture]:
    if explanation.overlay is not None:
        yield NamedPicture(method, method, _TITLES[method], explanation.overlay)
    if isinstance(explanation.finding, LayersFinding):
        for number, montage in enumerate(explanation.montages, start=1):
            if montage is not None:
                title = f"Layers: the strongest channels of layer {number} of {len(explanation.montages)}"
                yield NamedPicture(f"layers/{number}", method, title, montage)
