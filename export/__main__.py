"""Train, evaluate, convert and publish the models. Every step reads and writes a run folder."""

import argparse
import json
from pathlib import Path

from export.networks.architectures import ARCHITECTURES
from export.release.publication import Release, publish
from export.steps import convert_run, evaluate_run
from export.training.train import TrainingPlan, train

_DEFAULTS = TrainingPlan(architecture="", image_size=0)


def main() -> None:
    """Run one step as the command line says."""
    arguments = _parser().parse_args()
    arguments.step(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="train|convert|evaluate|publish")
    _add_train(steps.add_parser("train", help="train a network, or go on with an interrupted training"))
    _add_convert(steps.add_parser("convert", help="write model.onnx, calibrated, and check it against Keras"))
    _add_evaluate(steps.add_parser("evaluate", help="measure a run on an official split"))
    _add_publish(steps.add_parser("publish", help="write a converted run into the model repository"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), required=True)
    parser.add_argument("--init", default="none", help="none, imagenet, or a .keras file or wheel with the backbone")
    parser.add_argument("--image-size", type=int, help="pixels a side; the architecture's own by default")
    parser.add_argument("--fold", type=int, choices=range(5), help="hold out this patient-wise fold")
    parser.add_argument("--epochs", type=int, default=_DEFAULTS.epochs)
    parser.add_argument("--batch-size", type=int, default=_DEFAULTS.batch_size)
    parser.add_argument("--learning-rate", type=float, help="peak; the architecture's own by default")
    parser.add_argument(
        "--patience",
        type=int,
        default=_DEFAULTS.patience,
        help="stop after so many epochs without improvement on the fold and keep the best weights, to find out how "
        "many epochs are enough; 0, as for what is published, trains for all epochs and keeps the last weights",
    )
    parser.add_argument("--no-augmentation", dest="augmentation", action="store_false")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=_DEFAULTS.precision)
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed)
    parser.set_defaults(step=_train)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    parser.add_argument(
        "--held-out-run", type=Path, required=True, help="the same training with a fold held out, to calibrate on"
    )
    parser.set_defaults(step=lambda a: convert_run(a.run, a.data, a.held_out_run))


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--test-log", type=Path, default=Path("docs/test-set-log.md"), help="where looks are logged")
    parser.set_defaults(step=_evaluate)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("--name", required=True, help="classifier or pixel_importance")
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.set_defaults(step=lambda a: publish(a.run, Release(a.repository, a.name, a.version)))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="the run folder")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, val/ and test/")


def _train(arguments: argparse.Namespace) -> None:
    architecture = ARCHITECTURES[arguments.architecture]
    plan = TrainingPlan(
        architecture=architecture.name,
        image_size=arguments.image_size or architecture.image_size,
        init=arguments.init,
        fold=arguments.fold,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate or architecture.learning_rate,
        patience=arguments.patience,
        augmentation=arguments.augmentation,
        precision=arguments.precision,
        seed=arguments.seed,
    )
    train(plan, arguments.data, arguments.run)


def _evaluate(arguments: argparse.Namespace) -> None:
    figures = evaluate_run(arguments.run, arguments.data, arguments.split, arguments.test_log)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
