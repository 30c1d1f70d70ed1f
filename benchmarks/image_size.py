"""Measures how much the resolution of a radiograph changes the answer.

``python -m benchmarks.image_size FOLDER`` judges every JPEG of a folder as it is and shrunk to 224 x 224 pixels (by
Pillow's antialiased bilinear filter, as the training data were made), and prints the differences of P(PNEUMONIA).
"""

import argparse
import asyncio
from pathlib import Path

import numpy as np
from PIL import Image

from api.imaging.decode import decode
from api.imaging.preprocess import to_model_input
from serving import BackendSettings, open_backend
from serving.backend import InferenceBackend, ModelSpec

REPOSITORY = Path(__file__).parents[1] / "model_repository"
WANTED = 0.03


async def main() -> None:
    """Print the difference for every image, and the share within 0.03."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.rglob("*.jpeg"))
    backend = await open_backend(BackendSettings("embedded", REPOSITORY))
    classifier = next(model for model in await backend.models() if model.name == "classifier")
    differences = [await _difference(backend, classifier, file) for file in files]
    for file, difference in zip(files, differences, strict=True):
        print(f"{difference:.4f}  {file.name}")
    within = np.mean(np.array(differences) <= WANTED)
    print(f"within {WANTED}: {within:.1%} of {len(files)} images; median {np.median(differences):.4f}")
    await backend.close()


async def _difference(backend: InferenceBackend, classifier: ModelSpec, file: Path) -> float:
    pixels = decode(file.read_bytes(), max_pixels=50_000_000).pixels
    shrunk = np.asarray(Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR))
    height, width, _ = classifier.input("image").shape
    batch = to_model_input([pixels, shrunk], height, width)
    answer = await backend.infer(classifier, {"image": batch}, ["probabilities"], timeout=60)
    original, small = (float(p) for p in answer["probabilities"][:, 1])
    return abs(original - small)


if __name__ == "__main__":
    asyncio.run(main())
