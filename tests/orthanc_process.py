"""A real Orthanc in a process of its own, with the scripts and the configuration that are shipped."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.local_triton import free_ports
from tests.conftest import missing

SHIPPED = Path(__file__).parents[1] / "docker" / "orthanc"
STABLE_AGE_S = 1
RETRY_S = 0.01
READY_TIMEOUT_S = 20
MULTIPART = 'multipart/related; type="application/dicom"'
_BOUNDARY = "boundary"
_END = f"\r\n--{_BOUNDARY}--\r\n".encode()
_FAILED_SOP_SEQUENCE = "00081198"
# Orthanc closes idle connections after a second, perhaps while the next request is on its way.
_NO_KEEP_ALIVE = httpx.Limits(max_keepalive_connections=0)
_CREDENTIALS = ("cxr", "only-for-tests")
_DICOM_WEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True, slots=True)
class OrthancProcess:
    """`rest` asks its REST API, and DICOMweb under `dicom-web/`. `log` is a file that holds all it logged so far."""

    rest: httpx.Client
    log: Path

    def store(self, file: bytes) -> None:
        """Store a DICOM file over DICOMweb."""
        headers = {"Content-Type": f"{MULTIPART}; boundary={_BOUNDARY}", "Accept": "application/dicom+json"}
        answer = self.rest.post("dicom-web/studies", content=multipart(file), headers=headers).raise_for_status()
        if "Value" in answer.json().get(_FAILED_SOP_SEQUENCE, {}):
            raise RuntimeError("Orthanc must store a file that it answers with 200. Received: a Failed SOP Sequence")

    def instances(self, study: str) -> dict[str, str]:
        """List what is in a study: SOP Class UID by SOP Instance UID."""
        found = self.rest.get(f"dicom-web/studies/{study}/instances").raise_for_status().json()
        return {tags["00080018"]["Value"][0]: tags["00080016"]["Value"][0] for tags in found}

    def files(self, study: str) -> set[bytes]:
        """Give the files of a study as they are stored, over DICOMweb."""
        headers = {"Accept": f"{MULTIPART}; transfer-syntax=*"}
        return parts(self.rest.get(f"dicom-web/studies/{study}", headers=headers).raise_for_status())

    def identifier(self, uid: str) -> str:
        """Give Orthanc's own identifier of a study or an instance."""
        (found,) = self.rest.post("tools/lookup", content=uid).raise_for_status().json()
        return str(found["ID"])

    def note(self, instance: str) -> dict[str, Any]:
        """Give what the scripts remember of a radiograph; empty if nothing became of it yet."""
        metadata = self.rest.get(f"instances/{self.identifier(instance)}/metadata?expand").raise_for_status().json()
        note: dict[str, Any] = json.loads(metadata.get("cxr-explain", "{}"))
        return note


def multipart(file: bytes) -> bytes:
    """Make a body of `multipart/related` with one file."""
    return f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + file + _END


def parts(answer: httpx.Response) -> set[bytes]:
    """Take a body of `multipart/related` apart."""
    boundary = answer.headers["Content-Type"].rpartition("boundary=")[2].strip('"').encode()
    _, *found, _ = (b"\r\n" + answer.content).split(b"\r\n--" + boundary)
    return {part.partition(b"\r\n\r\n")[2] for part in found}


@contextmanager
def orthanc_process(folder: Path, gateway_url: str) -> Iterator[OrthancProcess]:
    """Run Orthanc on a free port until the block ends; it keeps what it stores in `folder`, as it may be run again."""
    port = free_ports().http
    log = folder / "orthanc.log"
    environment = {**os.environ, **_settings(folder, gateway_url)}
    with log.open("a") as output:
        process = subprocess.Popen(
            [program(), write_configuration(folder, HttpPort=port)], env=environment, stdout=output, stderr=output
        )
        try:
            with _client(port) as rest:
                _wait_until_ready(rest, process, log)
                yield OrthancProcess(rest, log)
        finally:
            process.terminate()
            process.wait(timeout=20)


def program() -> str:
    """Find Orthanc; Debian keeps it where the PATH of plain users does not look."""
    found = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None or not _DICOM_WEB.exists():
        missing("Debian's packages orthanc and orthanc-dicomweb must be installed")
    return str(found)


def write_configuration(folder: Path, **overrides: Any) -> Path:
    """Write the shipped configuration as a test needs it: on loopback, without DICOM, with studies stable at once."""
    shipped = json.loads((SHIPPED / "orthanc.json").read_text())
    for_tests = {
        "LuaScripts": [str(SHIPPED / name) for name in shipped["LuaScripts"]],
        "StableAge": STABLE_AGE_S,
        "LuaHeartBeatPeriod": STABLE_AGE_S,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps({**shipped, **for_tests, **overrides}))
    return file


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}/", auth=_CREDENTIALS, timeout=20, limits=_NO_KEEP_ALIVE)


def _settings(folder: Path, gateway_url: str) -> dict[str, str]:
    user, password = _CREDENTIALS
    orthanc = {"ORTHANC_USER": user, "ORTHANC_PASSWORD": password, "ORTHANC_STORAGE": str(folder / "storage")}
    return {**orthanc, "GATEWAY_URL": gateway_url, "GATEWAY_RETRY_S": str(RETRY_S)}


def _wait_until_ready(rest: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            rest.get("system").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"Orthanc must answer within {READY_TIMEOUT_S} s. Received: {log.read_text()[-2000:]}")
