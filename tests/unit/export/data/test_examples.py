"""Folds must not share patients; the manifest wins over file names."""

from pathlib import Path

import numpy as np
import pytest

from export.data.examples import FOLDS, Example, fold_group, load_images, patient_of, read_split, split_fold
from tests.images import encode, grey


def examples(patients: int = 60) -> list[Example]:
    """Patients with 1 to 4 images each; every third has no pneumonia."""
    return [
        Example(Path(f"{patient}-{image}.jpeg"), int(patient % 3 > 0), "bacteria", f"patient{patient}")
        for patient in range(patients)
        for image in range(1 + patient % 4)
    ]


def test_folds_partition_the_examples_without_sharing_a_patient() -> None:
    every = examples()
    held_out_names: list[str] = []
    for fold in range(FOLDS):
        kept, held_out = split_fold(every, fold)
        assert not {e.patient for e in kept} & {e.patient for e in held_out}
        assert len(kept) + len(held_out) == len(every)
        held_out_names += [e.path.name for e in held_out]
    assert sorted(held_out_names) == sorted(e.path.name for e in every)


def test_folds_keep_the_class_balance() -> None:
    every = examples()
    overall = np.mean([e.target for e in every])
    for fold in range(FOLDS):
        held_out = split_fold(every, fold)[1]
        assert abs(np.mean([e.target for e in held_out]) - overall) < 0.1


def test_folds_are_the_same_every_time() -> None:
    assert split_fold(examples(), 2) == split_fold(examples(), 2)


def test_folds_keep_one_person_number_together_whatever_the_infection() -> None:
    """`person7_bacteria` and `person7_virus` may be one child, though the manifest lists them as two patients."""
    every = [
        Example(Path(f"person{n}_{subtype}_1.jpeg"), 1, subtype, f"person{n}_{subtype}")
        for n in range(40)
        for subtype in ("bacteria", "virus")
    ] + [Example(Path(f"IM-{n:04}-0001.jpeg"), 0, "normal", f"IM-{n:04}") for n in range(30)]
    for fold in range(FOLDS):
        kept, held_out = split_fold(every, fold)
        numbers = [{e.path.name.split("_")[0] for e in part if e.target} for part in (kept, held_out)]
        assert numbers[1]
        assert not numbers[0] & numbers[1]


@pytest.mark.parametrize(
    ("patient", "group"),
    [("person7_bacteria", "person7"), ("person7_virus", "person7"), ("IM-0115", "IM-0115"), ("somebody", "somebody")],
)
def test_fold_groups(patient: str, group: str) -> None:
    assert fold_group(patient) == group


@pytest.mark.parametrize(
    ("filename", "patient"),
    [
        ("person12_virus_34.jpeg", "person12_virus"),
        ("person1_bacteria_1.jpeg", "person1_bacteria"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("NORMAL2-IM-0656-0001-0002.jpeg", "NORMAL2-IM-0656"),
    ],
)
def test_patients_are_read_off_official_file_names(filename: str, patient: str) -> None:
    assert patient_of(filename) == patient


def test_other_file_names_are_refused_because_no_safe_split_exists() -> None:
    with pytest.raises(ValueError, match="scan7"):
        patient_of("scan7.jpeg")


def test_a_split_is_read_from_folders_and_the_manifest(tmp_path: Path) -> None:
    for label, name, level in (("NORMAL", "IM-0001-0001", 30), ("PNEUMONIA", "person1_virus_2", 220)):
        folder = tmp_path / "chest_xray" / "train" / label
        folder.mkdir(parents=True)
        (folder / f"{name}.jpeg").write_bytes(encode(grey(level), "jpeg"))
    (tmp_path / "manifest.csv").write_text("filename,patient\nIM-0001-0001.jpeg,somebody\n")
    normal, pneumonia = read_split(tmp_path, "train")
    assert (normal.target, normal.subtype, normal.patient) == (0, "normal", "somebody")
    assert (pneumonia.target, pneumonia.subtype, pneumonia.patient) == (1, "virus", "person1_virus")
    images = load_images([normal, pneumonia], 16)
    assert images.shape == (2, 16, 16, 1)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), [30, 220], atol=1)
    with pytest.raises(FileNotFoundError):
        read_split(tmp_path, "test")
