"""Which radiographs are measured, and where their lungs are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.imaging.preprocess import to_model_input
from export.data.examples import Example, split_fold
from export.explanations.contenders import look_at
from export.explanations.model_files import ModelFiles
from export.explanations.radiographs import Radiographs, called_pneumonia, in_turn, lungs_of, read_pixels
from tests.unit.export.explanations.conftest import OFFSET


def example(patient: str, number: int) -> Example:
    return Example(Path(f"{patient}-{number}.jpeg"), 1, "virus", patient)


def test_every_patient_has_a_turn_before_any_has_two() -> None:
    examples = [
        example(patient, number) for patient, count in (("a", 5), ("b", 1), ("c", 3)) for number in range(count)
    ]
    turns = in_turn(examples)
    assert {each.patient for each in turns[:3]} == {"a", "b", "c"}
    assert {each.patient for each in turns[3:5]} == {"a", "c"}
    assert sorted(each.path.name for each in turns) == [each.path.name for each in examples]
    assert turns == in_turn(examples)


def test_only_the_fold_of_the_training_split_is_taken(data: Path) -> None:
    everything = Radiographs(data, "train").examples()
    held_out = Radiographs(data, "train", 2).examples()
    assert held_out == split_fold(everything, 2)[1]
    assert 0 < len(held_out) < len(everything)
    with pytest.raises(ValueError, match="split=val"):
        Radiographs(data, "val", 2).examples()


def test_only_pneumonias_that_are_called_so_are_taken(data: Path, models: ModelFiles) -> None:
    candidates = Radiographs(data, "train").examples()
    sick = {each.path.name: to_model_input((read_pixels(each),), 128, 128) for each in candidates if each.target == 1}
    brightness = {name: seen.mean() / 255 for name, seen in sick.items()}
    probability = {name: 1 / (1 + np.exp(-(6 * b - 2 * (1 - b) + OFFSET))) for name, b in brightness.items()}
    ordered = sorted(probability, key=lambda name: probability[name])
    threshold = (probability[ordered[9]] + probability[ordered[10]]) / 2
    strict = with_threshold(models, threshold)
    taken = called_pneumonia(candidates, len(candidates), strict)
    assert {each.path.name for each, _ in taken} == set(ordered[10:])
    assert len(called_pneumonia(candidates, 3, strict)) == 3


def with_threshold(models: ModelFiles, threshold: float) -> ModelFiles:
    classifier = models.models["classifier"]
    spec = replace(classifier.spec, release={**classifier.spec.release, "decision_threshold": threshold})
    return ModelFiles({**models.models, "classifier": replace(classifier, spec=spec)})


def test_a_mask_drawn_by_a_person_comes_before_the_segmenter(data: Path, models: ModelFiles, tmp_path: Path) -> None:
    chosen = Radiographs(data, "val").examples()[0]
    subject = look_at(read_pixels(chosen), models)
    segmented = lungs_of(chosen, subject, tmp_path)
    assert segmented is not None and not segmented[1]
    np.testing.assert_array_equal(np.unique(np.flatnonzero(segmented[0].any(axis=0))), np.arange(56, 168))
    drawn = np.zeros((224, 224), np.uint8)
    drawn[10:20, 30:50] = 255
    (tmp_path / "lung_masks").mkdir()
    Image.fromarray(drawn).save(tmp_path / "lung_masks" / f"{chosen.path.stem}.png")
    reference = lungs_of(chosen, subject, tmp_path)
    assert reference is not None and reference[1]
    np.testing.assert_array_equal(reference[0], drawn > 0)
