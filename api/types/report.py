"""All that is known when a request ends."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.types.assessment import Assessment, OutlinedRegion
from api.types.decision import ModelIdentity, Prediction, Quality
from api.types.pictures import Explanation
from api.types.radiograph import Radiograph
from api.types.receipt import Receipt

DISCLAIMER = (
    "Decision support for research and preliminary triage. Not a medical device; a clinician must confirm every result."
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known about one radiograph when the request ends.

    `quality` is None if the models cannot tell, `explanations` if none were asked for. `assessment` is None where
    there is no explanation to assess, and `affected_region` where there is none to outline.
    """

    model: ModelIdentity
    radiograph: Radiograph
    prediction: Prediction
    quality: Quality | None
    explanations: Mapping[str, Explanation] | None
    timings_ms: Mapping[str, float]
    receipt: Receipt
    assessment: Assessment | None = None
    affected_region: OutlinedRegion | None = None
