import pytest

from tests.unit.reports.fhir.golden import FOLDER, GOLDEN, written


@pytest.mark.parametrize("name", GOLDEN)
def test_bundles_are_the_golden_ones_to_the_letter(name: str) -> None:
    assert written(name) == (FOLDER / name).read_text()


def test_there_is_no_golden_bundle_that_nobody_compares() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == set(GOLDEN)
