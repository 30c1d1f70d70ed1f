"""The command lines of `convert`, `evaluate` and `compare`."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

from export.compare import compare_runs
from export.data.examples import ADULTS, CHILDREN
from export.evaluation.calibration import DEFAULT_POLICY, DecisionPolicy, StyleBalance
from export.evaluation.comparison import BEGIN, END
from export.evaluation.evidence import Sources
from export.steps import convert_run, evaluate_held_out, evaluate_run


def add_convert_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what decides the calibration and the threshold; `--run` and `--data` are the caller's."""
    _add_held_out_runs(parser)
    _add_segmenter(parser)
    policy = parser.add_mutually_exclusive_group()
    policy.add_argument(
        "--sensitivity",
        type=float,
        metavar="RATE",
        help=f"highest threshold with this sensitivity on held-out patients; {DEFAULT_POLICY.rate} by default",
    )
    policy.add_argument("--specificity", type=float, metavar="RATE", help="lowest threshold with this specificity")
    policy.add_argument("--best", choices=["accuracy", "youden"], help="threshold with the highest value of this")
    parser.add_argument(
        "--balance-styles",
        choices=get_args(StyleBalance),
        default="none",
        help="what is fitted to held-out images weighted so that neither the processing style nor the view tells the "
        "label: nothing (default), the calibration alone, or the calibration and the threshold",
    )
    parser.add_argument(
        "--threshold-on",
        choices=[CHILDREN, ADULTS],
        default="",
        help="choose the threshold on this population alone; the calibration is fitted to all",
    )
    parser.add_argument(
        "--no-gate",
        action="store_true",
        help="leave the input gate out, which takes long to fit: for a run that is compared, not published",
    )
    parser.set_defaults(step=_convert)


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is measured; `--run` and `--data` are the caller's."""
    parser.add_argument("--split", choices=["val", "test", "held_out"], default="val")
    parser.add_argument("--test-log", type=Path, default=Path("docs/test-set-log.md"), help="where looks are logged")
    _add_held_out_runs(parser)
    _add_segmenter(parser)
    parser.set_defaults(step=_evaluate)


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is compared, and where the table goes."""
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="run folders, one for each row")
    parser.add_argument(
        "--out", type=Path, required=True, help=f"Markdown file; a table between {BEGIN} and {END} is replaced"
    )
    parser.add_argument("--note", nargs="+", default=(), help="what to say under the table of these runs")
    parser.set_defaults(step=lambda a: compare_runs(a.runs, a.out, a.note))


def _add_held_out_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--held-out-run",
        type=Path,
        nargs="+",
        help="the same training with a fold held out, or one such run for each fold; without it, RUN itself must have "
        "a fold held out",
    )


def _add_segmenter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lung-segmenter",
        type=Path,
        help="ONNX file that finds the lungs for the shortcut test, instead of the reference masks in DATA/lung_masks",
    )


def _sources(arguments: argparse.Namespace) -> Sources:
    return Sources(arguments.data, arguments.held_out_run or [arguments.run], arguments.lung_segmenter)


def _convert(arguments: argparse.Namespace) -> None:
    sources = replace(
        _sources(arguments),
        balance_styles=arguments.balance_styles,
        threshold_population=arguments.threshold_on,
    )
    convert_run(arguments.run, sources, _policy(arguments), with_gate=not arguments.no_gate)


def _policy(arguments: argparse.Namespace) -> DecisionPolicy:
    if arguments.sensitivity is not None:
        return DecisionPolicy("sensitivity", arguments.sensitivity)
    if arguments.specificity is not None:
        return DecisionPolicy("specificity", arguments.specificity)
    return DEFAULT_POLICY if arguments.best is None else DecisionPolicy(arguments.best, None)


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.split == "held_out":
        figures = evaluate_held_out(arguments.run, _sources(arguments))
    else:
        figures = evaluate_run(
            arguments.run, arguments.data, arguments.split, arguments.test_log, arguments.lung_segmenter
        )
    print(json.dumps(figures, indent=2))
