"""What holds of the files as a whole: they are valid, always the same, and read as they once did."""

import hashlib
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from api.reports.dicom import dicom_objects
from api.types import Report
from tests.dicom.files import radiograph_file
from tests.unit.reports.dicom import golden
from tests.unit.reports.dicom.reports_by_hand import LEVELS, all_methods, default_methods, header, receipt, report
from tests.unit.reports.dicom.test_source import IDENTIFIERS, only
from tests.unit.reports.dicom.validators import dcentvfy, dciodvfy

JAPANESE: dict[str, Any] = {
    "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
    "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
}
CHINESE: dict[str, Any] = {"SpecificCharacterSet": "GB18030", "PatientName": "Wang^XiaoDong=王^小东"}
UTF_8: dict[str, Any] = {"SpecificCharacterSet": "ISO_IR 192", "ReferringPhysicianName": "Müller^Łukasz"}
ANSWERS: dict[str, Report] = {
    "normal": report(made=receipt("NORMAL", 0.9123)),
    "pneumonia": report(explanations=default_methods()),
    "all methods": report(explanations=all_methods(), outlined=True),
    "normal, explained": report(explanations=all_methods(), outlined=True, made=receipt("NORMAL", 0.9)),
    "indeterminate": report(
        explanations=all_methods(), outlined=True, made=receipt("NORMAL", 0.61, indeterminate=True), warnings=None
    ),
    "unusual": report(explanations=all_methods(), outlined=True, warnings=("rotated", "view_unknown")),
    "lossy": report(header(LossyImageCompression="01"), all_methods()),
    "keyed": report(explanations=default_methods(), made=receipt(keyed=True, mac="12" * 32)),
    "Japanese": report(header(**JAPANESE), all_methods()),
    "Chinese": report(header(**CHINESE), all_methods()),
    "UTF-8": report(header(**UTF_8), all_methods()),
}
# Of an image that says nothing: its answers cannot be listed in a DICOMDIR, and do not know the part of the body.
EXPECTED_OF_LITTLE = (
    "Missing attribute or value that would be needed to build DICOMDIR",
    "only permitted to be empty when actually unknown",
)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_validator_finds_neither_errors_nor_warnings(name: str, tmp_path: Path) -> None:
    for file in dicom_objects(ANSWERS[name]):
        assert dciodvfy(tmp_path, file) == []


def test_the_validator_finds_no_errors_where_the_image_tells_its_identifiers_alone(tmp_path: Path) -> None:
    for file in dicom_objects(report(only(*IDENTIFIERS), all_methods(), outlined=True)):
        complaints = dciodvfy(tmp_path, file)
        assert [line for line in complaints if not any(expected in line for expected in EXPECTED_OF_LITTLE)] == []


def test_patient_and_study_are_described_as_in_the_image(tmp_path: Path) -> None:
    image = radiograph_file(LEVELS, modality="CR", PatientAge=None)
    complaints = dcentvfy(tmp_path, [image, *dicom_objects(ANSWERS["all methods"])])
    # The tool looks for the accession number in a report's series, too.
    assert [line for line in complaints if "AccessionNumber" not in line] == []


@pytest.mark.parametrize("name", ["pneumonia.txt", "normal.txt", "capture.txt"])
def test_the_files_read_as_they_once_did(name: str, tmp_path: Path) -> None:
    assert golden.texts(tmp_path)[name] == (golden.FOLDER / name).read_text(encoding="utf-8")


def test_no_file_tells_when_it_was_made() -> None:
    before = f"{datetime.now():%Y%m%d}".encode()
    files = dicom_objects(ANSWERS["all methods"])
    today = f"{datetime.now():%Y%m%d}".encode()
    assert not any(day in file for file in files for day in (before, today))


DIGEST = """
import hashlib
from api.reports.dicom import dicom_objects
from tests.unit.reports.dicom.test_files import ANSWERS
print(hashlib.sha256(b"".join(dicom_objects(ANSWERS["all methods"]))).hexdigest())
"""


@pytest.mark.parametrize(("zone", "seed"), [("Pacific/Kiritimati", "1"), ("America/Los_Angeles", "2")])
def test_another_process_makes_the_same_files_later_and_elsewhere(zone: str, seed: str) -> None:
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed}
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", DIGEST], env=environment, capture_output=True, check=True, timeout=60
    )
    here = hashlib.sha256(b"".join(dicom_objects(ANSWERS["all methods"]))).hexdigest()
    assert told.stdout.decode().strip() == here


def test_another_result_makes_other_identifiers() -> None:
    def identifiers(answered: Report) -> set[bytes]:
        return {file[132:] for file in dicom_objects(answered)}

    assert identifiers(report()).isdisjoint(identifiers(report(made=receipt(probability=0.9705))))
