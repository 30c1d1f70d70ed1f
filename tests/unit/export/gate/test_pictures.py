"""What the gate is fitted to and measured on, before any network."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.data.examples import Example, read_split
from export.gate.disturbances import FITTED, UNSEEN
from export.gate.drawings import CHOSEN_WITH, DRAWINGS
from export.gate.fitting import Kind
from export.gate.halves import measures
from export.gate.negatives import pictures_of_no_chest
from export.gate.pictures import (
    Picture,
    disturbed_radiographs,
    lateral_pictures,
    model_inputs,
    radiographs,
    read_pixels,
)

PIXELS = np.arange(240, dtype=np.uint8).reshape(12, 20)


@pytest.fixture
def data_with_others(tmp_path: Path) -> Path:
    for name, levels in (("lateral", (90, 120)), ("hand", (30,)), ("empty", ())):
        (tmp_path / "other" / name).mkdir(parents=True)
        for level in levels:
            Image.fromarray(PIXELS // 2 + level // 2).save(tmp_path / "other" / name / f"{level}.jpeg", quality=95)
    return tmp_path


def test_known_disturbances() -> None:
    assert UNSEEN["half as bright"](PIXELS)[5, 10] == round(int(PIXELS[5, 10]) / 2)
    assert FITTED["brighter by 40"](PIXELS)[0, :3].tolist() == [40, 41, 42]
    assert FITTED["brighter by 40"](PIXELS).max() == 255
    for name, padded in (("letterbox, 20 % left and right", (12, 28)), ("letterbox, 20 % above and below", (16, 20))):
        letterboxed = FITTED[name](PIXELS)
        assert letterboxed.shape == padded
        y, x = (padded[0] - 12) // 2, (padded[1] - 20) // 2
        np.testing.assert_array_equal(letterboxed[y : y + 12, x : x + 20], PIXELS)
        assert letterboxed.sum() == PIXELS.sum()
    grey = np.full((200, 200), 128, dtype=np.uint8)
    for sigma in (3, 5, 10):
        assert FITTED[f"noise, sigma {sigma}"](grey).std() == pytest.approx(sigma, rel=0.05)
    bordered = FITTED["black border of 10 %"](PIXELS)
    assert bordered.shape == (14, 24)
    np.testing.assert_array_equal(bordered[1:-1, 2:-2], PIXELS)
    assert bordered.sum() == PIXELS.sum()
    np.testing.assert_array_equal(UNSEEN["8 % cut off each side"](PIXELS), PIXELS[1:11, 2:18])
    contrast = FITTED["contrast 0.6"](np.array([[0, 255]], dtype=np.uint8))
    assert contrast.tolist() == [[51, 204]]


@pytest.mark.parametrize("name", [*FITTED, *UNSEEN])
def test_disturbances_change_the_picture_and_repeat(name: str) -> None:
    change = {**FITTED, **UNSEEN}[name]
    picture = np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)
    before = picture.copy()
    changed = change(picture)
    assert changed.dtype == np.uint8
    assert changed.shape != picture.shape or (changed != picture).any()
    np.testing.assert_array_equal(changed, change(picture))
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_depend_on_their_seed_alone(name: str) -> None:
    pictures = [DRAWINGS[name](seed) for seed in range(6)]
    np.testing.assert_array_equal(pictures[0], DRAWINGS[name](0))
    assert all(picture.dtype == np.uint8 and picture.ndim == 2 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) > 1


def test_some_drawn_kinds_chose_nothing() -> None:
    assert {"skull phantom", "ultrasound phantom", "chart"} <= set(DRAWINGS) - CHOSEN_WITH


def test_every_presentation_is_derived_from_the_radiographs(data: Path, data_with_others: Path) -> None:
    examples = read_split(data, "val")
    pictures = [*radiographs(examples), *disturbed_radiographs(examples), *lateral_pictures(data_with_others)]
    kinds = [picture.kind for picture in pictures]
    n = len(examples)
    assert [kinds.count(Kind("rotated", "children", turns)) for turns in (1, 2, 3)] == [n, n, n]
    assert kinds.count(Kind("inverted", "children")) == n
    assert kinds.count(Kind("frontal", "children")) == 2 * n  # as they are, and disturbed twice
    assert kinds.count(Kind("lateral", "adults")) == 2 * 2 * 4
    assert sum(picture.original for picture in pictures) == n + 2
    for picture in pictures:
        if picture.kind.presentation == "rotated":
            pixels = read_pixels(picture.path)
            np.testing.assert_array_equal(picture.change(pixels), np.rot90(pixels, picture.kind.turns))
    first = next(picture for picture in pictures if picture.kind.presentation == "inverted")
    assert int(first.change(PIXELS)[0, 3]) == 252
    assert {p.patient for p in pictures if p.kind.presentation != "lateral"} == {e.patient for e in examples}


def test_without_adults_or_laterals_there_are_fewer_presentations(data: Path) -> None:
    assert {picture.kind.presentation for picture in radiographs(read_split(data, "val"))} == {
        "frontal", "rotated", "inverted",
    }  # fmt: skip
    assert lateral_pictures(data) == []


def test_every_disturbance_has_about_as_many_copies_as_a_kind_of_its_own(data: Path) -> None:
    examples = read_split(data, "val")
    disturbed = [picture for picture in disturbed_radiographs(examples) if picture.kind.disturbance]
    counts = Counter(picture.kind.disturbance for picture in disturbed)
    assert set(counts) == set(FITTED)
    assert sum(counts.values()) == 4 * len(examples)
    assert max(counts.values()) - min(counts.values()) <= 1
    for picture in disturbed:
        expected = FITTED[picture.kind.disturbance](read_pixels(picture.path))
        np.testing.assert_array_equal(picture.change(read_pixels(picture.path)), expected)
    per_radiograph: dict[Path, list[Picture]] = {}
    for picture in disturbed:
        per_radiograph.setdefault(picture.path, []).append(picture)
    assert all(len({p.kind.disturbance for p in copies}) == 4 for copies in per_radiograph.values())


def test_half_of_the_patients_measure_and_all_images_of_a_person_number_do_the_same() -> None:
    numbers = range(2000)
    measuring = [measures(f"person{n}_virus") for n in numbers]
    assert measuring == [measures(f"person{n}_bacteria") for n in numbers]
    assert 900 < sum(measuring) < 1100


def test_folders_of_other_pictures_are_kinds_but_for_chests(data_with_others: Path) -> None:
    kinds = pictures_of_no_chest(data_with_others)
    assert "lateral" not in kinds
    np.testing.assert_array_equal(kinds["hand"][0](), read_pixels(data_with_others / "other/hand/30.jpeg"))
    assert kinds["empty"] == []
    assert kinds["blank"][3]().std() == 0
    assert len(kinds["photograph"]) >= 3  # those of scikit-learn and matplotlib


def test_pictures_come_in_batches_of_the_model_size() -> None:
    readers = [partial(np.full, (9, 9), level, np.uint8) for level in range(70)]
    batches = list(model_inputs(readers, 5))
    assert [batch.shape for batch in batches] == [(64, 5, 5, 1), (6, 5, 5, 1)]
    np.testing.assert_array_equal(np.concatenate(batches)[:, 2, 2, 0], np.arange(70))


def test_examples_keep_their_population(data: Path) -> None:
    (example,) = [Example(path.path, 0, "", "p", population="adults") for path in read_split(data, "val")[:1]]
    assert {picture.kind.population for picture in radiographs([example])} == {"adults"}
