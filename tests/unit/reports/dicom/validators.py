"""Programs of David Clunie's dicom3tools that check and print DICOM objects."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import missing


def dciodvfy(folder: Path, file: bytes) -> list[str]:
    """Give the errors and warnings that the validator of information objects finds in a file."""
    return _complaints(_run("dciodvfy", "-new", _stored(folder, [file])[0]))


def dcentvfy(folder: Path, files: list[bytes]) -> list[str]:
    """Give the errors and warnings about entities, such as a patient, that several files describe differently."""
    return _complaints(_run("dcentvfy", *_stored(folder, files)))


def dcsrdump(folder: Path, file: bytes) -> str:
    """Print the content of a structured report."""
    return _run("dcsrdump", _stored(folder, [file])[0])


def dcdump(folder: Path, file: bytes) -> str:
    """Print the attributes of an object."""
    return _run("dcdump", _stored(folder, [file])[0])


def _run(program: str, *arguments: str | Path) -> str:
    # Not Debian's, which is of 2022 and does not know Comprehensive 3D SR.
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        missing(f"{program} must be installed beside Python, from the package dicom3tools")
    done = subprocess.run([path, *arguments], capture_output=True, timeout=60, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _stored(folder: Path, files: list[bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place}.dcm" for place in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return paths


def _complaints(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(("Error", "Warning"))]
