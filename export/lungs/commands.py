"""The command line of the lung segmenter: `python -m export lungs train|convert|evaluate`."""

import argparse
import json
from pathlib import Path

from export.data.examples import FOLDS
from export.lungs.train import LungTrainingPlan

_DEFAULTS = LungTrainingPlan()


def add_lungs_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the steps of the lung segmenter as sub-commands; each sets `step`, called with the arguments."""
    steps = parser.add_subparsers(required=True, metavar="train|convert|evaluate")
    _add_train(steps.add_parser("train", help="train the segmenter, or go on with an interrupted training"))
    _add_convert(steps.add_parser("convert", help="write model.onnx and check it against Keras"))
    _add_evaluate(steps.add_parser("evaluate", help="measure Dice, latency and size; fit what masks are plausible"))


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_run_and_data(parser)
    parser.add_argument("--image-size", type=int, default=_DEFAULTS.image_size, help="pixels a side")
    parser.add_argument(
        "--widths", type=int, nargs="+", default=_DEFAULTS.widths, help="channels at a half of the side, a quarter, …"
    )
    parser.add_argument("--fold", type=int, choices=range(FOLDS), default=_DEFAULTS.fold, help="held out")
    parser.add_argument("--epochs", type=int, default=_DEFAULTS.epochs)
    parser.add_argument("--batch-size", type=int, default=_DEFAULTS.batch_size)
    parser.add_argument("--learning-rate", type=float, default=_DEFAULTS.learning_rate, help="peak")
    parser.add_argument(
        "--no-chest-share",
        type=float,
        default=_DEFAULTS.no_chest_share,
        help="share of pictures made without lungs, whose mask is empty",
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=_DEFAULTS.precision)
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed)
    parser.set_defaults(step=_train)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    _add_run_and_data(parser)
    parser.set_defaults(step=_convert)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run_and_data(parser)
    parser.add_argument(
        "--baseline",
        type=Path,
        default=Path("model_repository/pixel_importance/1/model.onnx"),
        help="the pixel_importance model, for the study's rough separation",
    )
    parser.set_defaults(step=_evaluate)


def _add_run_and_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="the run folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and lung_masks/")


# Imported when asked for: a training under another Keras backend needs no TensorFlow.
def _train(arguments: argparse.Namespace) -> None:
    from export.lungs.train import train_lungs

    plan = LungTrainingPlan(
        image_size=arguments.image_size,
        widths=tuple(arguments.widths),
        fold=arguments.fold,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        no_chest_share=arguments.no_chest_share,
        precision=arguments.precision,
        seed=arguments.seed,
    )
    train_lungs(plan, arguments.data, arguments.run)


def _convert(arguments: argparse.Namespace) -> None:
    from export.lungs.convert import convert_lungs

    convert_lungs(arguments.run, arguments.data)


def _evaluate(arguments: argparse.Namespace) -> None:
    from export.evaluation.yardstick import latency_against_yardstick
    from export.lungs.evaluate import evaluate_lungs

    figures = evaluate_lungs(arguments.run, arguments.data, arguments.baseline, latency_against_yardstick)
    print(json.dumps(figures, indent=2))
