"""Reading the adults' manifest, and folds of two populations."""

from pathlib import Path

import pytest

from export.data.examples import ADULTS, CHILDREN, Example, split_fold
from export.data.nih import read_nih

MANIFEST = """filename,label,findings,patient,age,sex,view
b.jpeg,PNEUMONIA,Pneumonia,7,45,F,PA
a.jpeg,NORMAL,No Finding,8,61,M,AP
"""


def test_reads_what_the_manifest_tells(tmp_path: Path) -> None:
    (tmp_path / "nih_chestxray14").mkdir()
    (tmp_path / "nih_chestxray14" / "manifest.csv").write_text(MANIFEST)
    first, second = read_nih(tmp_path)
    assert (first.target, first.sex, first.age, first.view, first.population) == (0, "M", 61, "AP", ADULTS)
    assert second.path == tmp_path / "nih_chestxray14" / "PNEUMONIA" / "b.jpeg"
    assert second.patient == "nih-7"


def test_without_the_folder_there_are_no_adults(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_nih(tmp_path)


def test_each_population_gives_its_share_to_a_fold() -> None:
    examples = [
        Example(Path(f"{population}{i}.jpeg"), i % 2, "", f"{population}-{i // 2}", population=population)
        for population, count in ((CHILDREN, 100), (ADULTS, 40))
        for i in range(count)
    ]
    kept, held_out = split_fold(examples, 2)
    assert {e.population for e in held_out} == {CHILDREN, ADULTS}
    assert sum(e.population == ADULTS for e in held_out) == 8
    assert {e.patient for e in kept}.isdisjoint({e.patient for e in held_out})
