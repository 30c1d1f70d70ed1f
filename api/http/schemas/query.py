"""What clients may ask in the query."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.explain import DEFAULT_METHODS, METHODS
from api.explain.grid import GRIDS
from api.http.schemas.base import Schema
from api.reports.fhir import is_subject
from api.types import ExplainOptions

_GRIDS = ", ".join(f"{count} ({rows} x {columns})" for count, (rows, columns) in GRIDS.items())


def _check_methods(methods: str) -> str:
    names = list(METHODS) if methods == "all" else [name.strip() for name in methods.split(",")]
    if any(name not in METHODS for name in names):
        raise ValueError(f"must be 'all' or a comma-separated list of {', '.join(METHODS)}")
    return ",".join(name for name in METHODS if name in names)  # in one order: it is part of what identifies an answer


def _check_subject(subject: str | None) -> str | None:
    if subject is not None and not is_subject(subject):
        raise ValueError("must be Patient/ID, or system|value with a URI as system")
    return subject


def _check_regions(regions: int | None) -> int | None:
    if regions is not None and regions not in GRIDS:
        raise ValueError(f"must be one of {', '.join(map(str, GRIDS))}")
    return regions


class PredictQuery(Schema):
    """Query of `/v1/predict`."""

    subject: Annotated[
        str | None,
        AfterValidator(_check_subject),
        Field(
            description="For FHIR alone: whom the answer is about, as `Patient/ID` or `system|value`. It is repeated "
            "in the answer, and kept and logged nowhere."
        ),
    ] = None


class ExplainQuery(PredictQuery):
    """Query of `/v1/explain`."""

    methods: Annotated[
        str,
        AfterValidator(_check_methods),
        Field(description=f"Comma-separated: {', '.join(METHODS)}; or `all`."),
    ] = ",".join(DEFAULT_METHODS)
    threshold: Annotated[
        float,
        Field(
            ge=0.5,
            le=1,
            description="For `gradient`, the smallest importance of a pixel that is shown. For the other maps, the "
            "share of the map's maximum from which `coverage` and `bounding_box` count a value; the colours do not "
            "depend on it.",
        ),
    ] = 0.7
    always: Annotated[bool, Field(description="Explain a NORMAL answer too.")] = False
    overlay_format: Literal["png", "jpeg", "webp"] = "png"
    overlay_size: Annotated[int, Field(ge=64, le=2048, description="Longest side of an overlay, in pixels.")] = 512
    regions: Annotated[
        int | None,
        AfterValidator(_check_regions),
        Field(
            description=f"Regions of the grid of `silhouette` and `occlusion`: {_GRIDS}. Without it, the study's "
            "halves and quadrants."
        ),
    ] = None
    lungs: Annotated[bool, Field(description="Lay the grid of `silhouette` on the lungs, and look at them alone.")] = (
        False
    )
    fill: Annotated[
        Literal["blur", "mean", "black"],
        Field(description="What hides a region for `occlusion`: its blurred self, the mean around it, or black."),
    ] = "mean"
    trust: Annotated[
        Literal["quick", "full"],
        Field(description="`full` puts the maps to the test with further inferences: stability, deletion, insertion."),
    ] = "quick"

    def options(self) -> ExplainOptions:
        """Translate into the pipeline's terms."""
        methods = tuple(self.methods.split(","))
        return ExplainOptions(
            methods,
            self.threshold,
            self.always,
            self.overlay_format,
            self.overlay_size,
            self.regions,
            self.lungs,
            self.fill,
            self.trust,
        )
