"""What the files of one answer hold, as text, to be compared with what they once held.

Written anew by `python -m tests.unit.reports.dicom.golden`; look at the difference before you keep it.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from api.reports.dicom import dicom_objects
from tests.unit.reports.dicom.reports_by_hand import all_methods, receipt, report
from tests.unit.reports.dicom.validators import dcdump, dcsrdump

FOLDER = Path(__file__).parents[3] / "data" / "golden" / "dicom"


def texts(folder: Path) -> Mapping[str, str]:
    """Print a report with a region, one without, and the header of a capture, each by the name of its file."""
    present, *captures = dicom_objects(report(explanations=all_methods(), outlined=True))
    (absent,) = dicom_objects(report(made=receipt("NORMAL", 0.9123)))
    return {
        "pneumonia.txt": dcsrdump(folder, present),
        "normal.txt": dcsrdump(folder, absent),
        "capture.txt": _without_pixels(dcdump(folder, captures[3])),
    }


def _without_pixels(printed: str) -> str:
    return "".join(line for line in printed.splitlines(keepends=True) if "Pixel Data" not in line)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts(Path(scratch)).items():
            (FOLDER / name).write_text(text, encoding="utf-8")
