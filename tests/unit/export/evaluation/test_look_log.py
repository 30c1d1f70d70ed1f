"""No look at the test split goes unlogged, not even one that fails."""

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from export import steps
from export.release.provenance import sha256_of


def fail_after_looking(*_: object) -> NoReturn:
    raise RuntimeError("looked")


def test_a_look_is_logged_with_the_file_that_was_measured(tiny_run: Path) -> None:
    (line,) = (tiny_run.parent / "log.md").read_text().splitlines()
    assert f"| tiny | `{sha256_of(tiny_run / 'model.onnx')[:16]}` | 24 | 1.0 |" in line


def test_a_look_that_fails_is_logged(
    data: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "score_run", fail_after_looking)
    with pytest.raises(RuntimeError, match="looked"):
        steps.evaluate_run(tiny_run, data, "test", tmp_path / "log.md")
    (line,) = (tmp_path / "log.md").read_text().splitlines()
    assert line.endswith("| 24 | not finished |  |")


@pytest.mark.parametrize("log", ["missing/log.md", "."])
def test_nothing_is_looked_at_without_a_log(
    data: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    monkeypatch.setattr(steps, "score_run", fail_after_looking)
    with pytest.raises(OSError, match=tmp_path.name):
        steps.evaluate_run(tiny_run, data, "test", tmp_path / log)


def test_nothing_is_looked_at_before_conversion(
    data: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "score_run", fail_after_looking)
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run, ignore=shutil.ignore_patterns("model.onnx"))
    with pytest.raises(FileNotFoundError, match=r"model\.onnx"):
        steps.evaluate_run(run, data, "test", tmp_path / "log.md")
    assert not (tmp_path / "log.md").exists()


def test_a_model_is_not_measured_with_the_decision_rule_of_another(data: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    with (run / "model.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ValueError, match=r"decision\.json must be of"):
        steps.evaluate_run(run, data, "test", tmp_path / "log.md")
    assert not (tmp_path / "log.md").exists()
