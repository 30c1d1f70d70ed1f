"""Pictures that are no chest radiograph, by kind: drawn here, found in the data set, or shipped inside packages."""

import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.gate.disturbances import Pixels
from export.gate.drawings import DRAWINGS
from export.gate.pictures import read_pixels

_DRAWN_OF_EACH = 20
_CHESTS = frozenset({"lateral"})
_SKIMAGE: Mapping[str, Sequence[str]] = {
    "photograph": (
        "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "color.png",
        "clock_motion.png",
    ),
    "surface": ("brick.png", "grass.png", "gravel.png"),
    "scanned text": ("page.png", "text.png"),
    "microscopy": ("ihc.png", "cell.png", "coins.png"),
    "retina": ("retina.jpg", "microaneurysms.png"),
    "astronomy": ("hubble_deep_field.jpg", "moon.png"),
    "logo": ("logo.png", "horse.png"),
    "head phantom": ("phantom.png",),
}  # fmt: skip

_UNREADABLE = (AttributeError, EOFError, KeyError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError)

Reader = Callable[[], Pixels]


def pictures_of_no_chest(data: Path) -> dict[str, list[Reader]]:
    """List readers of pictures, by kind.

    The folders in the data's `other` are kinds, but for `lateral`, which shows chests. Of packages, what scikit-learn,
    matplotlib and pydicom carry is always there, though the extra `gate` lets pydicom decode more of it; scikit-image
    is used if it is installed, as by that extra.
    """
    kinds: dict[str, list[Reader]] = {
        name: [partial(draw, seed) for seed in range(_DRAWN_OF_EACH)] for name, draw in DRAWINGS.items()
    }
    folders = [
        folder for folder in sorted((data / "other").glob("*")) if folder.is_dir() and folder.name not in _CHESTS
    ]
    kinds |= {folder.name: [partial(read_pixels, path) for path in sorted(folder.glob("*.jpeg"))] for folder in folders}
    kinds |= {name: [partial(_read_any, path) for path in paths] for name, paths in _of_skimage().items()}
    kinds.setdefault("photograph", []).extend(partial(_read_any, path) for path in _photographs())
    kinds |= {name: [partial(_copy, pixels) for pixels in pictures] for name, pictures in _of_pydicom().items()}
    return kinds


def _copy(pixels: Pixels) -> Pixels:
    return pixels.copy()


def _read_any(path: Path) -> Pixels:
    """Read formats and colours as the gateway does, which takes grey by luma."""
    file = io.BytesIO()
    Image.open(path).convert("RGB").convert("L").save(file, "PNG")
    return np.asarray(Image.open(file))


def _photographs() -> list[Path]:
    sklearn = _folder_of("sklearn")
    folders = [sklearn / "datasets/images" if sklearn else None, Path(matplotlib.get_data_path()) / "sample_data"]
    return [path for folder in folders if folder for path in sorted(folder.glob("*.jpg"))]


def _of_skimage() -> dict[str, list[Path]]:
    folder = _folder_of("skimage")
    if folder is None:
        return {}
    found = {kind: [folder / "data" / name for name in names] for kind, names in _SKIMAGE.items()}
    return {kind: [path for path in paths if path.is_file()] for kind, paths in found.items()}


def _of_pydicom() -> dict[str, list[Pixels]]:
    """Gather the distinct single-frame pictures of pydicom's test files, by modality."""
    folder = _folder_of("pydicom")
    if folder is None:
        return {}
    pydicom = importlib.import_module("pydicom")
    kinds: dict[str, dict[bytes, Pixels]] = {}
    for path in sorted((folder / "data/test_files").rglob("*.dcm")):
        for modality, pixels in _read_dicom(pydicom, path):
            kinds.setdefault(f"DICOM {modality}", {})[pixels.tobytes()] = pixels
    return {kind: list(pictures.values()) for kind, pictures in kinds.items()}


def _read_dicom(pydicom: Any, path: Path) -> Iterator[tuple[str, Pixels]]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of what is odd about files that are made to be odd
            dataset = pydicom.dcmread(path, force=True)
            values = np.asarray(dataset.pixel_array, dtype=np.float64)
    except _UNREADABLE:  # files made to be damaged, or packed as no installed decoder can read
        return
    values = values.mean(axis=-1) if values.ndim == 3 and values.shape[-1] == 3 else values
    if values.ndim == 2 and min(values.shape) >= 32:
        yield str(dataset.get("Modality", "OT")), _stretch(values)


def _stretch(values: NDArray[np.float64]) -> Pixels:
    low, high = np.percentile(values, [0.5, 99.5])
    return (np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None
