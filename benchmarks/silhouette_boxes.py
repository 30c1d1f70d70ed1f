"""Measures how much of what the silhouette method points at lies outside the lungs.

Looks at held-out children whose lungs are known from a reference mask. The method itself sees only the segmenter's
mask, as in the gateway. `box` is the share of the winning box's area outside the reference mask, `top pixels` that of
the brightest tenth of the pixels that count for the rule: those in the study's rows, or with ``lungs=true`` those in
the segmenter's lungs.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.explain.grid import GRIDS
from api.explain.silhouette import locate_silhouette
from api.explain.silhouette_grid import STUDIED, rank_frame, rank_lungs
from api.imaging.preprocess import resize_antialiased
from api.types import RelativeBox
from export.data.examples import Example, fold_group
from export.lungs.dice import bootstrap_mean
from export.lungs.examples import load_mask

TOP = 0.1
_STUDY_SIZE = 128


def print_shares_outside(
    examples: Sequence[Example], images: NDArray[np.uint8], lungs: NDArray[np.bool_], data: Path
) -> None:
    """Print one row for each option.

    Parameters
    ----------
    examples
        n radiographs; those without a reference mask are passed over.
    images, lungs
        Grey levels and the segmenter's lungs, ``[n, 224, 224]`` each.
    data
        The data set, with `lung_masks/`.
    """
    files = [data / "lung_masks" / f"{example.path.stem}.png" for example in examples]
    known = [place for place, file in enumerate(files) if file.is_file()]
    groups = [fold_group(examples[i].patient) for i in known]
    measured = [_measure(images[i], lungs[i], load_mask(files[i]) > 0) for i in known]
    print(f"\n## What lies outside the lungs: {len(known)} images with a reference mask\n")
    print("| option | box outside the lungs | of the study's | top pixels outside | of the study's |")
    print("|---|---|---:|---|---:|")
    study = [np.mean([each["study"][kind] for each in measured]) for kind in (0, 1)]
    for option in measured[0]:
        columns = (np.array([each[option][kind] for each in measured]) for kind in (0, 1))
        cells = (_cells(shares, groups, float(whole)) for shares, whole in zip(columns, study, strict=True))
        print(f"| {option} | {' | '.join(cells)} |")


def _cells(shares: NDArray[np.float64], groups: Sequence[str], study: float) -> str:
    lower, upper = bootstrap_mean(shares, groups)
    return f"{shares.mean():.3f} ({lower:.3f} to {upper:.3f}) | {shares.mean() / study:.2f}"


def _measure(
    image: NDArray[np.uint8], lungs: NDArray[np.bool_], reference: NDArray[np.bool_]
) -> Mapping[str, tuple[float, float]]:
    outside, small = ~reference, resize_antialiased(image, _STUDY_SIZE, _STUDY_SIZE)
    in_frame, in_lungs = _brightest(image, inside(STUDIED, image.shape)), _brightest(image, lungs)
    shares = {
        "study": (_share(outside, inside(locate_silhouette(small).region, image.shape)), _share(outside, in_frame))
    }
    for option, box, top in _grids(image, small, lungs, in_frame, in_lungs):
        shares[option] = (_share(outside, inside(box, image.shape)), _share(outside, top))
    return shares


def _grids(
    image: NDArray[np.uint8],
    small: NDArray[np.uint8],
    lungs: NDArray[np.bool_],
    in_frame: NDArray[np.bool_],
    in_lungs: NDArray[np.bool_],
) -> Iterator[tuple[str, RelativeBox, NDArray[np.bool_]]]:
    for count in GRIDS:
        found = (rank_frame(small, count), in_frame, ""), (rank_lungs(image, lungs, count), in_lungs, ", lungs=true")
        for finding, top, suffix in found:
            if finding.region is None:
                raise ValueError(f"There must be lungs in every image. Received: {finding}")
            yield f"regions={count}{suffix}", finding.region, top


def inside(box: RelativeBox, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the pixels whose middles lie in a box, ``[h, w]``."""
    rows, columns = ((np.arange(size) + 0.5) / size for size in shape)
    return np.logical_and.outer((box.top <= rows) & (rows < box.bottom), (box.left <= columns) & (columns < box.right))


def _brightest(image: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the brightest tenth of some pixels, those as bright as the last of them included."""
    return where & (image >= np.quantile(image[where], 1 - TOP))


def _share(outside: NDArray[np.bool_], marked: NDArray[np.bool_]) -> float:
    return float(outside[marked].mean())
