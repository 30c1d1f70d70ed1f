"""Measures how much lossy compression of a radiograph changes the answer.

``python -m benchmarks.lossy_compression FOLDER`` judges every JPEG of a folder as it is decoded, and again after each
coding that DICOM allows has been applied and undone, and prints the changes of P(PNEUMONIA).
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from api.imaging.decode import decode
from api.imaging.preprocess import to_model_input
from serving import BackendSettings, open_backend

REPOSITORY = Path(__file__).parents[1] / "model_repository"
WANTED = 0.02

Pixels = NDArray[np.uint8]


def _jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(pixels, level=quality))


def _jpeg_ls(near: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(pixels, level=near))


def _jpeg_2000(decibels: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(pixels, level=decibels))


CODINGS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "JPEG, quality 100": _jpeg(100),
    "JPEG, quality 90": _jpeg(90),
    "JPEG, quality 75": _jpeg(75),
    "JPEG-LS, NEAR=1": _jpeg_ls(1),
    "JPEG-LS, NEAR=3": _jpeg_ls(3),
    "JPEG 2000, 45 dB": _jpeg_2000(45),
    "JPEG 2000, 40 dB": _jpeg_2000(40),
}


async def main() -> None:
    """Print the change for every image and coding, and the largest and the median one of each coding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.rglob("*.jpeg"))
    backend = await open_backend(BackendSettings("embedded", REPOSITORY))
    classifier = next(model for model in await backend.models() if model.name == "classifier")
    height, width, _ = classifier.input("image").shape
    changes = []
    for file in files:
        pixels = decode(file.read_bytes(), max_pixels=50_000_000).pixels
        batch = to_model_input([pixels, *(coding(pixels) for coding in CODINGS.values())], height, width)
        answer = await backend.infer(classifier, {"image": batch}, ["probabilities"], timeout=120)
        whole, *coded = (float(p) for p in answer["probabilities"][:, 1])
        changes.append([abs(p - whole) for p in coded])
        print(f"{file.name} ({whole:.2f}): " + ", ".join(f"{change:.3f}" for change in changes[-1]))
    await backend.close()
    for name, found in zip(CODINGS, np.array(changes).T, strict=True):
        within = np.mean(found <= WANTED)
        print(f"{name}: largest {found.max():.3f}, median {np.median(found):.4f}, within {WANTED}: {within:.0%}")


if __name__ == "__main__":
    asyncio.run(main())
