"""The environment of the local Triton server: its binary, its Python backend and ONNX Runtime, apart from ours.

It needs numpy 1, the gateway numpy 2, so it lives in a virtual environment of its own, created on first use.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("local_triton_requirements.txt")
OLDEST_GLIBC = (2, 35)
# The pinned numpy has no wheels for later versions.
PYTHON_VERSIONS = ((3, 11), (3, 12))


class LocalTritonError(Exception):
    """Base of every error of the local Triton server."""


class LocalTritonUnavailable(LocalTritonError):
    """The local Triton server cannot run on this machine."""


@dataclass(frozen=True, slots=True)
class TritonEnvironment:
    """Where an installed Triton is.

    `variables` are all the environment variables to start `executable` with.
    """

    executable: Path
    backends: Path
    variables: Mapping[str, str]


def ensure_environment(root: Path | None = None) -> TritonEnvironment:
    """Install Triton under `root` unless it is there already, and say where it is.

    An interrupted installation is done again, and so is one with other pins or another Python. Progress is told on
    stderr. Processes that ask at the same time wait for each other.

    Parameters
    ----------
    root
        ``local-triton`` inside the running Python's own environment by default.

    Raises
    ------
    LocalTritonUnavailable
        The platform is not Linux x86-64 with glibc 2.35 or later and a supported Python, or pip failed.
    """
    _require_platform()
    libpython = _libpython_folder()
    root = root or Path(sys.prefix) / "local-triton"
    try:
        with _locked(root.with_name(f"{root.name}.lock")):
            if not _is_complete(root):
                _install(root)
    except OSError as error:
        raise LocalTritonUnavailable(f"Triton could not be installed: {error}") from error
    return _describe(root, libpython)


def _require_platform() -> None:
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise LocalTritonUnavailable(f"Local Triton: platform must be Linux x86_64. Received: {system} {machine}")
    library, version = platform.libc_ver()
    if library != "glibc" or _version(version) < OLDEST_GLIBC:
        raise LocalTritonUnavailable(f"Local Triton: C library must be glibc >= 2.35. Received: {library} {version}")
    if sys.version_info[:2] not in PYTHON_VERSIONS:
        raise LocalTritonUnavailable(f"Local Triton: Python must be 3.11 or 3.12. Received: {sys.version.split()[0]}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _libpython_folder() -> Path:
    """Find the shared library of the running Python, which the Python backend's stub process loads."""
    name = f"libpython{_python()}.so.1.0"
    library_folder = Path(sysconfig.get_config_var("LIBDIR") or sys.base_prefix)
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    # A relocated Python keeps the folder that it was built for in LIBDIR.
    for folder in (Path(sys.base_prefix) / "lib", library_folder, library_folder / multiarch):
        if (folder / name).exists():
            return folder
    raise LocalTritonUnavailable(f"Local Triton: Python must come with {name}. Received: {sys.base_prefix} without it")


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Not on Windows, where importing this module must still work.
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_complete(root: Path) -> bool:
    marker = _marker(root)
    return marker.exists() and marker.read_text() == _recipe()


def _marker(root: Path) -> Path:
    return root / "complete"


def _recipe() -> str:
    return f"{sys.base_prefix} {sys.version}\n{REQUIREMENTS.read_text()}"


def _install(root: Path) -> None:
    _tell("Installing a local Triton server (once; about 90 MB to download, 290 MB on disk) ...")
    began = time.monotonic()
    shutil.rmtree(root, ignore_errors=True)
    _create(root)
    _install_stub(root)
    _marker(root).write_text(_recipe())
    _tell(f"Installed a local Triton server in {time.monotonic() - began:.0f} s.")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _create(root: Path) -> None:
    # Without dependencies: those of pytriton's own Python code, which is not used here, are many.
    options = ("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet")
    pip = (str(root / "bin" / "python"), "-I", "-m", "pip", "install", *options, "-r", str(REQUIREMENTS))
    try:
        venv.create(root, symlinks=True, with_pip=True)
        subprocess.run(pip, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.CalledProcessError as error:
        raise LocalTritonUnavailable(f"Triton could not be installed: {_reason(error)}") from error


def _reason(error: subprocess.CalledProcessError) -> str:
    lines = (error.output or b"").decode(errors="replace").splitlines()
    return "\n".join([str(error), *lines[-5:]])


def _install_stub(root: Path) -> None:
    """Put the stub of the running Python where the backend looks for it: beside its library."""
    triton = _triton(root)
    stub = triton / "python_backend_stubs" / _python() / "triton_python_backend_stub"
    shutil.copy2(stub, triton / "backends" / "python")


def _triton(root: Path) -> Path:
    return root / "lib" / f"python{_python()}" / "site-packages" / "pytriton" / "tritonserver"


def _describe(root: Path, libpython: Path) -> TritonEnvironment:
    triton = _triton(root)
    return TritonEnvironment(triton / "bin" / "tritonserver", triton / "backends", _variables(root, libpython))


def _variables(root: Path, libpython: Path) -> dict[str, str]:
    return os.environ | {
        # The stub ignores PYTHONPATH and PYTHONHOME: it takes the environment of the first python3 on PATH.
        "PATH": _prepend(root / "bin", os.environ.get("PATH")),
        "LD_LIBRARY_PATH": _prepend(libpython, os.environ.get("LD_LIBRARY_PATH")),
        # The pinned ONNX Runtime is the CPU one.
        "CUDA_VISIBLE_DEVICES": "",
    }


def _prepend(folder: Path, variable: str | None) -> str:
    # An empty entry would mean the working directory.
    return os.pathsep.join([str(folder), *([variable] if variable else [])])
