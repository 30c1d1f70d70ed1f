"""The command from end to end, and how its record is judged and written up."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from export import __main__ as command
from export.explanations import commands
from export.explanations.benchmark import summarise
from export.explanations.contenders import contenders
from export.explanations.measures import Measured
from export.explanations.report import benchmark_report, insert_report
from export.release.provenance import sha256_of


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["export", "evaluate-explanations", *map(str, arguments)])
    command.main()


def measured(patient: str, **insertion: float) -> Measured:
    """One radiograph on which maps have these insertion areas, and the negative ones as deletion."""
    names = (*insertion, "random", "centre")
    areas = {**dict.fromkeys(names, 0.0), **insertion}
    values = {name: {"insertion": area, "deletion": -area, "lung_energy": area} for name, area in areas.items()}
    nothing = {(one, other): 0.5 for one in names for other in names}
    return Measured(patient, values, nothing, nothing, {n: np.eye(28) for n in names}, frozenset(), True, 0.3)


def judged(**areas: list[float]) -> Any:
    images = [
        measured(str(place), **dict(zip(areas, row, strict=True)))
        for place, row in enumerate(zip(*areas.values(), strict=True))
    ]
    return summarise(images, [], [], {name: contenders()[name] for name in areas})


def test_only_what_is_clearly_better_than_both_baselines_beats_them() -> None:
    record = judged(grad_cam=[1.0, 1.1, 0.9, 1.0], saliency=[2.0, -1.9, 1.0, -0.9], occlusion=[-1.0, -1.1, -0.9, -1.0])
    verdicts = {name: method["beats_both_baselines"] for name, method in record["methods"].items()}
    assert verdicts == {"grad_cam": True, "saliency": False, "occlusion": False}
    better = record["methods"]["grad_cam"]["versus_better_baseline"]
    assert better["insertion"]["difference"][0] == 1 and better["deletion"]["difference"][0] == -1
    assert record["methods"]["occlusion"]["versus_better_baseline"]["deletion"]["difference"][0] == 1


def test_the_better_baseline_is_the_one_to_beat() -> None:
    images = [measured(str(number), grad_cam=0.5) for number in range(5)]
    better = [
        Measured(
            each.patient,
            {**each.values, "centre": {"insertion": 0.9, "deletion": 0.2, "lung_energy": 0.0}},
            each.correlations,
            each.overlaps,
            each.cells,
            each.silent,
            each.reference_lungs,
            each.lung_share,
        )
        for each in images
    ]
    versus = summarise(better, [], [], {"grad_cam": contenders()["grad_cam"]})["methods"]["grad_cam"][
        "versus_better_baseline"
    ]
    assert (versus["insertion"]["baseline"], versus["insertion"]["beats"]) == ("centre", False)
    assert versus["insertion"]["difference"] == [-0.4, -0.4, -0.4]
    assert (versus["deletion"]["baseline"], versus["deletion"]["beats"]) == ("random", True)


def test_a_method_without_a_figure_that_decides_does_not_beat_the_baselines() -> None:
    image = measured("a", grad_cam=1.0)
    values = {
        name: {"insertion": each["insertion"], "deletion": each["deletion"]} for name, each in image.values.items()
    }
    blind = Measured("a", values, image.correlations, image.overlaps, image.cells, frozenset(), None, None)
    method = summarise([blind], [], [], {"grad_cam": contenders()["grad_cam"]})["methods"]["grad_cam"]
    assert method["versus_better_baseline"]["insertion"]["beats"]
    assert not method["beats_both_baselines"]


def test_a_report_takes_the_place_of_the_last_one_and_leaves_the_rest() -> None:
    begin, end = "<!-- explanations measured on val: begin -->", "<!-- explanations measured on val: end -->"
    first = insert_report("# Explanations\n\nText.\n", "one", "val")
    assert first == f"# Explanations\n\nText.\n\n{begin}\none\n{end}\n"
    assert insert_report(first + "More.\n", "two", "val") == f"# Explanations\n\nText.\n\n{begin}\ntwo\n{end}\nMore.\n"
    assert insert_report("", "one", "val") == f"{begin}\none\n{end}\n"
    assert insert_report(first, "other", "test").startswith(first)


@pytest.fixture(scope="module")
def out(data: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    sheet = folder / "sheet.jpeg"
    with pytest.MonkeyPatch.context() as patch:
        where = ("--data", data, "--repository", repository, "--split", "train", "--fold", 1)
        extent = ("--images", 4, "--levels", 3, "--shuffled", 3)
        run(patch, *where, *extent, "--out", folder, "--contact-sheet", sheet)
    return folder


def test_everything_is_measured(out: Path) -> None:
    record = json.loads((out / "explanations-train.json").read_text())
    assert list(record["methods"]) == list(contenders())
    assert (record["images"], record["shuffled_images"], record["segmented_masks"]) == (4, 3, 4)
    # The tiny segmenter marks the middle half of each side; a random map has as much of its energy there.
    assert record["lung_share_of_frame"] == 0.25
    assert record["baselines"]["random"]["figures"]["lung_energy"][0] == pytest.approx(0.25, abs=0.02)
    bright_rows = record["methods"]["grad_cam"]["figures"]
    assert bright_rows["insertion"][0] > record["baselines"]["random"]["figures"]["insertion"][0]
    assert bright_rows["deletion"][0] < record["baselines"]["random"]["figures"]["deletion"][0]
    assert record["methods"]["gradient"]["randomisation"] == {"looks_at_classifier": False, "passes": False}


def test_the_report_holds_the_figures_and_the_command(out: Path) -> None:
    record = json.loads((out / "explanations-train.json").read_text())
    report = (out / "explanations.md").read_text()
    line = next(line for line in report.splitlines() if line.startswith("| `grad_cam`"))
    mean, lower, upper = record["methods"]["grad_cam"]["figures"]["insertion"]
    assert f"| {mean:.2f} ({lower:.2f} to {upper:.2f}) |" in line
    assert "evaluate-explanations --data DATA" in report and "--fold 1" in report
    assert str(out.parent) not in report
    with Image.open(out / "explanations-train.png") as picture:
        assert picture.width == 1500


def test_what_does_not_beat_the_baselines_is_marked() -> None:
    record = {
        **judged(grad_cam=[1.0, 1.1, 0.9, 1.0], saliency=[2.0, -1.9, 1.0, -0.9]),
        **{
            "images": 4,
            "patients": 4,
            "radiographs": "made",
            "selection": "all",
            "classifier_sha256": "0" * 64,
            "levels": 2,
        },
        **{"lung_share_of_frame": 0.3, "reference_masks": 4, "segmented_masks": 0},
    }
    report = benchmark_report(record, "picture.png", "command")
    assert "| `grad_cam` |" in report and "| `grad_cam` †" not in report
    assert "| `saliency` † |" in report
    assert "no: insertion, log-odds" in report
    assert "**+0.05 (" in report


def test_the_contact_sheet_has_a_row_for_each_radiograph(out: Path) -> None:
    with Image.open(out / "sheet.jpeg") as sheet:
        # Ten of each label are wanted; the fold has eight of each.
        assert sheet.height == 44 + 16 * 156
        assert sheet.width == 92 + (1 + len(contenders())) * 156
        pixels = np.asarray(sheet.convert("L"), np.float64)
    # The first column shows the radiographs themselves: normals bright at the top, pneumonias at the bottom.
    tiles = [pixels[44 + 156 * row : 44 + 156 * row + 152, 92 : 92 + 152] for row in (0, 15)]
    assert tiles[0][:70].mean() > tiles[0][82:].mean() + 100
    assert tiles[1][82:].mean() > tiles[1][:70].mean() + 100
    assert (out / "sheet.jpeg").stat().st_size < 1_000_000


def look_at_nothing(*_: object) -> NoReturn:
    raise RuntimeError("looked")


def test_a_look_at_the_test_split_is_logged(
    data: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "run_benchmark", look_at_nothing)
    log = tmp_path / "log.md"
    with pytest.raises(RuntimeError, match="looked"):
        run(monkeypatch, "--data", data, "--repository", repository, "--split", "test", "--test-log", log)
    digest = sha256_of(repository / "classifier" / "1" / "model.onnx")[:16]
    (line,) = log.read_text().splitlines()
    assert line.endswith(f"| tiny | `{digest}` | 24 | not finished |  |")


def test_a_finished_look_says_that_it_was_at_explanations(
    data: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.md"
    run(monkeypatch, "--data", data, "--repository", repository, "--split", "test", "--images", 0, "--test-log", log)
    assert log.read_text().endswith("| 24 | explanations only | explanations only |\n")


def test_nothing_is_looked_at_without_a_log(
    data: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "run_benchmark", look_at_nothing)
    log = tmp_path / "missing" / "log.md"
    with pytest.raises(OSError, match="missing"):
        run(monkeypatch, "--data", data, "--repository", repository, "--split", "test", "--test-log", log)


def test_steps_that_make_no_curve_are_refused(
    data: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--data", data, "--repository", repository, "--levels", 1)
    assert "--levels must be at least 2" in capsys.readouterr().err
