"""The chest radiographs that the gate is fitted to, in every presentation that it shall name."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from api.imaging.decode import decode
from api.imaging.preprocess import to_model_input
from export.data.examples import ADULTS, CHILDREN, Example
from export.gate.disturbances import FITTED, Change, Pixels
from export.gate.fitting import FRONTAL, ClassifiedFeatures, Kind

ROTATED, INVERTED, LATERAL = "rotated", "inverted", "lateral"
LATERAL_FOLDER = "other/lateral"
_DERIVED = {CHILDREN: 800, ADULTS: 200}  # radiographs of each population to rotate and invert, and to disturb
_DISTURBED_COPIES = 2
_LATERAL_COPIES = 3  # disturbed, for each side that a lateral view may face
_MAX_PIXELS = 50_000_000
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, whose it is, how it is changed, and what it then is. `original` ones are as they came."""

    path: Path
    patient: str
    kind: Kind
    change: Change
    original: bool = False


def keep(pixels: Pixels) -> Pixels:
    """Change nothing."""
    return pixels


def read_pixels(path: Path) -> Pixels:
    """Decode a file with the gateway's own function: grey levels ``[rows, columns]``."""
    return decode(path.read_bytes(), max_pixels=_MAX_PIXELS).pixels


def rotate(turns: int) -> Change:
    """Rotate by so many quarters, counter-clockwise."""
    return lambda pixels: np.ascontiguousarray(np.rot90(pixels, turns))


def invert(pixels: Pixels) -> Pixels:
    """Swap black and white."""
    return 255 - pixels


def pictures_to_fit(examples: Sequence[Example], data: Path, seed: int = 0) -> list[Picture]:
    """List frontal radiographs as they are and disturbed, rotated, inverted, and the lateral ones of the data, if any.

    Parameters
    ----------
    examples
        Frontal radiographs.
    data
        The data set; lateral radiographs, by adults, are files in its `other/lateral`.
    seed
        Decides which radiographs are changed, and how.
    """
    generator = np.random.default_rng(seed)
    frontal = [Picture(e.path, e.patient, Kind(FRONTAL, e.population), keep, original=True) for e in examples]
    changed = [picture for name in _DERIVED for picture in _derive(frontal, name, generator)]
    laterals = [p for path in sorted((data / LATERAL_FOLDER).glob("*.jpeg")) for p in _laterals(path, generator)]
    return [*frontal, *changed, *laterals]


def _derive(frontal: Sequence[Picture], population: str, generator: np.random.Generator) -> Iterator[Picture]:
    members = [picture for picture in frontal if picture.kind.population == population]
    for i in generator.permutation(len(members))[: _DERIVED[population]]:
        path, patient = members[i].path, members[i].patient
        for turns in (1, 2, 3):
            yield Picture(path, patient, Kind(ROTATED, population, turns), rotate(turns))
        yield Picture(path, patient, Kind(INVERTED, population), invert)
        for _ in range(_DISTURBED_COPIES):
            yield Picture(path, patient, Kind(FRONTAL, population), _disturb(generator))


def _disturb(generator: np.random.Generator) -> Change:
    """Choose one or two disturbances."""
    names = generator.permutation(list(FITTED))[: generator.integers(1, 3)]

    def change(pixels: Pixels) -> Pixels:
        for name in names:
            pixels = FITTED[str(name)](np.ascontiguousarray(pixels))
        return pixels

    return change


def _laterals(path: Path, generator: np.random.Generator) -> Iterator[Picture]:
    """Lateral views face either way, so half of the copies are mirrored."""
    for mirrored in (False, True):
        for change in (keep, *(_disturb(generator) for _ in range(_LATERAL_COPIES))):
            original = change is keep and not mirrored
            yield Picture(path, path.name, Kind(LATERAL, ADULTS), _mirror(change) if mirrored else change, original)


def _mirror(change: Change) -> Change:
    return lambda pixels: change(np.ascontiguousarray(pixels[:, ::-1]))


def features_of(pictures: Sequence[Picture], network: keras.Model) -> ClassifiedFeatures:
    """Compute the gate's features of pictures by a network of `export.gate.features.gate_features`."""
    side = network.input_shape[1]
    values = [
        np.asarray(network.predict_on_batch(images.astype(np.float32)))
        for images in model_inputs([_reader(picture) for picture in pictures], side)
    ]
    return ClassifiedFeatures(
        np.concatenate(values),
        [picture.kind for picture in pictures],
        [picture.patient for picture in pictures],
    )


def _reader(picture: Picture) -> Callable[[], Pixels]:
    return lambda: picture.change(read_pixels(picture.path))


def model_inputs(readers: Sequence[Callable[[], Pixels]], side: int) -> Iterator[NDArray[np.uint8]]:
    """Read and shrink pictures in threads, in batches ``[<= 64, side, side, 1]``: all at once would fill the memory."""
    with ThreadPoolExecutor() as pool:
        for start in tqdm(range(0, len(readers), _BATCH), desc="looking", unit="batch"):
            yield to_model_input(list(pool.map(lambda read: read(), readers[start : start + _BATCH])), side, side)
