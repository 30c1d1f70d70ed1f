"""The chest radiographs that the gate is fitted to, in every presentation that it shall name."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
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
_DISTURBED_COPIES = 4  # by one disturbance each, of which every one has its own centre
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


def radiographs(examples: Sequence[Example], seed: int = 0) -> list[Picture]:
    """List frontal radiographs as they are and, of some that `seed` decides, rotated and inverted copies."""
    frontal = [Picture(e.path, e.patient, Kind(FRONTAL, e.population), keep, original=True) for e in examples]
    turned = [
        Picture(e.path, e.patient, kind, change)
        for e in _some_of_each_population(examples, np.random.default_rng(seed))
        for kind, change in _presentations(e.population)
    ]
    return [*frontal, *turned]


def disturbed_radiographs(examples: Sequence[Example], seed: int = 0) -> list[Picture]:
    """List copies of some frontal radiographs, as `seed` decides.

    Each is disturbed once in some of the ways of `FITTED`, which take turns and are kinds of their own, and once in
    two ways at a time.
    """
    generator, names = np.random.default_rng(seed), cycle(FITTED)
    pictures: list[Picture] = []
    for e in _some_of_each_population(examples, generator):
        once = {
            Kind(FRONTAL, e.population, disturbance=name): FITTED[name] for name in islice(names, _DISTURBED_COPIES)
        }
        changes = {**once, Kind(FRONTAL, e.population): _disturb_twice(generator)}
        pictures += [Picture(e.path, e.patient, kind, change) for kind, change in changes.items()]
    return pictures


def lateral_pictures(data: Path, seed: int = 0) -> list[Picture]:
    """List the lateral radiographs, of adults, in the data's `other/lateral`, if any, with disturbed copies."""
    generator = np.random.default_rng(seed)
    return [p for path in sorted((data / LATERAL_FOLDER).glob("*.jpeg")) for p in _laterals(path, generator)]


def _some_of_each_population(examples: Sequence[Example], generator: np.random.Generator) -> list[Example]:
    chosen: list[Example] = []
    for population, count in _DERIVED.items():
        members = [example for example in examples if example.population == population]
        chosen += [members[i] for i in generator.permutation(len(members))[:count]]
    return chosen


def _presentations(population: str) -> Iterator[tuple[Kind, Change]]:
    for turns in (1, 2, 3):
        yield Kind(ROTATED, population, turns), rotate(turns)
    yield Kind(INVERTED, population), invert


def _disturb_twice(generator: np.random.Generator) -> Change:
    """Choose two disturbances."""
    names = generator.permutation(list(FITTED))[:2]

    def change(pixels: Pixels) -> Pixels:
        for name in names:
            pixels = FITTED[str(name)](np.ascontiguousarray(pixels))
        return pixels

    return change


def _laterals(path: Path, generator: np.random.Generator) -> Iterator[Picture]:
    """Lateral views face either way, so half of the copies are mirrored."""
    for mirrored in (False, True):
        for change in (keep, *(_disturb_twice(generator) for _ in range(_LATERAL_COPIES))):
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
