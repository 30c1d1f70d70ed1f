"""Train, evaluate, convert and publish the models. Every step reads and writes a run folder."""

import argparse
from pathlib import Path

from export.evaluation.commands import add_compare_arguments, add_convert_arguments, add_evaluate_arguments
from export.explainable.commands import add_explainable_arguments
from export.explanations.commands import add_explanations_arguments
from export.gate.commands import add_gate_arguments
from export.lungs.commands import add_lungs_arguments
from export.release.publication import Release, publish
from export.training.commands import add_train_arguments


def main() -> None:
    """Run one step as the command line says."""
    arguments = _parser().parse_args()
    arguments.step(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    steps = parser.add_subparsers(
        required=True, metavar="train|convert|evaluate|gate|explainable|evaluate-explanations|compare|publish|lungs"
    )
    _add_train(steps.add_parser("train", help="train a network, or go on with an interrupted training"))
    _add_convert(steps.add_parser("convert", help="write model.onnx, calibrated, and check it against Keras"))
    _add_evaluate(steps.add_parser("evaluate", help="measure a run on an official split or on held-out patients"))
    _add_gate(steps.add_parser("gate", help="measure the input gate of a converted run"))
    add_explainable_arguments(
        steps.add_parser("explainable", help="write a classifier with its explanations in the graph")
    )
    add_explanations_arguments(
        steps.add_parser("evaluate-explanations", help="measure the gateway's explanations against empty ones")
    )
    add_compare_arguments(steps.add_parser("compare", help="write the comparison table of several runs"))
    _add_publish(steps.add_parser("publish", help="write a converted run into the model repository"))
    add_lungs_arguments(steps.add_parser("lungs", help="train, convert and evaluate the lung segmenter"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    add_train_arguments(parser)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    add_convert_arguments(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    add_evaluate_arguments(parser)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_data(parser)
    add_gate_arguments(parser)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument(
        "--name", required=True, help="classifier, classifier_explain, pixel_importance or lung_segmenter"
    )
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.set_defaults(step=lambda a: publish(a.run, Release(a.repository, a.name, a.version)))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="the run folder")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, val/ and test/")


if __name__ == "__main__":
    main()
