"""The golden Bundles. `python -m tests.unit.reports.fhir.golden` writes them anew; read the difference then."""

import json
from collections.abc import Mapping
from pathlib import Path

from api.reports.fhir import fhir_bundle
from api.types import Quality, Report
from tests.unit.reports.fhir.answers import STUDIES, report

FOLDER = Path(__file__).parents[3] / "data" / "golden" / "fhir"
GOLDEN: Mapping[str, tuple[Report, str | None]] = {
    "png.json": (report(0.0269, methods=None), None),
    "dicom.json": (
        report(
            methods=("grad_cam", "layers"),
            region=True,
            study=STUDIES["day"],
            quality=Quality(True, 0.9, ("view_unknown",)),
            key=True,
        ),
        "urn:oid:1.2.36.146.595.217.0.1|4711",
    ),
}


def written(name: str) -> str:
    """Give the text of a golden file as the code at hand writes it."""
    answer, subject = GOLDEN[name]
    return json.dumps(fhir_bundle(answer, subject), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in GOLDEN:
        (FOLDER / each).write_text(written(each))
