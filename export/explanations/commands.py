"""The command line of `evaluate-explanations`."""

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.catalogue import CLASSIFIER
from export.evaluation.look_log import logged_look_at
from export.explanations.benchmark import Record, run_benchmark
from export.explanations.model_files import ModelFiles, open_models
from export.explanations.picture import draw_benchmark
from export.explanations.radiographs import Radiographs
from export.explanations.report import benchmark_report, insert_report
from export.explanations.sheet import draw_contact_sheet

REPORT = "explanations.md"
_OF_EACH_LABEL = 10


def add_explanations_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is measured, on what, and where the figures go."""
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, val/ and test/")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--split", choices=["train", "val", "test"], default="val")
    parser.add_argument("--fold", type=int, help="of the training split, only the fold that the classifier held out")
    parser.add_argument("--images", type=int, default=60, help="pneumonias to measure; 0 for the contact sheet alone")
    parser.add_argument("--levels", type=int, default=8, help="steps of the insertion and deletion curves")
    parser.add_argument("--shuffled", type=int, default=18, help="images that the shuffled networks are asked about")
    parser.add_argument(
        "--out", type=Path, help=f"folder for explanations-SPLIT.json and .png; the report goes into {REPORT} there"
    )
    parser.add_argument("--contact-sheet", type=Path, metavar="FILE", help="picture of ten normals and ten pneumonias")
    parser.add_argument("--test-log", type=Path, default=Path("docs/test-set-log.md"), help="where looks are logged")
    parser.set_defaults(step=lambda arguments: _evaluate(parser, arguments))


def _evaluate(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.levels < 2 or min(arguments.images, arguments.shuffled) < 0:
        parser.error("--levels must be at least 2, --images and --shuffled at least 0")
    models = open_models(arguments.repository)
    radiographs = Radiographs(arguments.data, arguments.split, arguments.fold)
    with _look(arguments, models, len(radiographs.examples())):
        if arguments.images:
            record = run_benchmark(radiographs, models, arguments.images, arguments.levels, arguments.shuffled)
            _write(record, arguments)
        if arguments.contact_sheet:
            names = draw_contact_sheet(radiographs.examples(), _OF_EACH_LABEL, models, arguments.contact_sheet)
            print(f"{arguments.contact_sheet}: {', '.join(names)}")


@contextmanager
def _look(arguments: argparse.Namespace, models: ModelFiles, images: int) -> Iterator[None]:
    """Log a look at the test split before it happens, as `evaluate` does."""
    if arguments.split != "test":
        yield
        return
    classifier = models.models[CLASSIFIER]
    architecture = str(classifier.spec.release.get("architecture", "unknown"))
    with logged_look_at(arguments.test_log, architecture, classifier.file, images) as look:
        yield
        look.update(auc="explanations only", accuracy="explanations only")


def _write(record: Record, arguments: argparse.Namespace) -> None:
    """Write the record, the picture and the report, or print the report where no folder is given."""
    name = f"explanations-{arguments.split}"
    report = benchmark_report(record, f"{name}.png", command_line(arguments))
    if arguments.out is None:
        print(report)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    draw_benchmark(record, arguments.out / f"{name}.png")
    file = arguments.out / REPORT
    file.write_text(insert_report(file.read_text() if file.is_file() else "", report, arguments.split))


def command_line(arguments: argparse.Namespace) -> str:
    """Write the command that repeats a benchmark; ``DATA`` stands for the data set, folders are named, not located."""
    options: dict[str, Any] = {"data": "DATA", "repository": arguments.repository.name, "split": arguments.split}
    options |= {} if arguments.fold is None else {"fold": arguments.fold}
    options |= {key: getattr(arguments, key) for key in ("images", "levels", "shuffled")}
    options |= {key: getattr(arguments, key).name for key in ("out", "contact_sheet") if getattr(arguments, key)}
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    return shlex.join(["python", "-m", "export", "evaluate-explanations", *words])
