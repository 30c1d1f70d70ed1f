"""The command line of `train`."""

import argparse
from dataclasses import fields
from pathlib import Path

from export.data.augmentation import AugmentationRange
from export.data.examples import FOLDS
from export.data.mask_augmentation import LABEL_RULES, MaskAugmentation
from export.data.weights import BALANCES
from export.networks.architectures import ARCHITECTURES, HEADS
from export.training.plan import TrainingPlan
from export.training.train import train, train_folds

_DEFAULTS = TrainingPlan(architecture="", image_size=0)
_ALL_FOLDS = "all"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what decides a training; `--run` and `--data` are the caller's."""
    _add_network(parser)
    _add_optimisation(parser)
    _add_data_options(parser)
    _add_augmentation(parser.add_argument_group("augmentation", "largest deviations and probabilities"))
    parser.set_defaults(step=_train)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), required=True)
    parser.add_argument(
        "--init",
        default="none",
        help="none, imagenet, a .keras or .onnx file or wheel with the backbone, or the folder of a finished run",
    )
    parser.add_argument("--head", choices=HEADS, default=_DEFAULTS.head, help="what is put on the backbone")
    parser.add_argument("--image-size", type=int, help="pixels a side; the architecture's own by default")


def _add_optimisation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, default=_DEFAULTS.epochs)
    parser.add_argument("--batch-size", type=int, default=_DEFAULTS.batch_size)
    parser.add_argument("--optimizer", choices=["adam", "adamw"], default=_DEFAULTS.optimizer)
    parser.add_argument("--learning-rate", type=float, help="peak; the architecture's own by default")
    parser.add_argument("--label-smoothing", type=float, default=_DEFAULTS.label_smoothing)
    parser.add_argument(
        "--averaging", type=float, default=_DEFAULTS.averaging, help="momentum of the mean of the weights, e.g. 0.99"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=_DEFAULTS.patience,
        help="stop after so many epochs without improvement on the fold and keep the best weights, to find out how "
        "many epochs are enough; 0, as for what is published, trains for all epochs and keeps the last weights",
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=_DEFAULTS.precision)
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fold",
        choices=[*map(str, range(FOLDS)), _ALL_FOLDS],
        help=f"hold out this patient-wise fold; {_ALL_FOLDS!r} trains one network for each, in RUN/fold-0 and so on",
    )
    parser.add_argument("--adults", action="store_true", help="train on DATA/nih_chestxray14 as well")
    parser.add_argument(
        "--adult-weight", type=float, default=_DEFAULTS.adult_weight, help="how much an adult counts for each child"
    )
    parser.add_argument(
        "--balance",
        choices=BALANCES,
        default=_DEFAULTS.balance,
        help="weigh images so that both labels count the same (class), and so that neither the processing style nor "
        "the view tells the label (style)",
    )
    parser.add_argument(
        "--mask-augmentation", choices=LABEL_RULES, help="hide regions in copies; the label is kept, or follows"
    )
    parser.add_argument("--mask-share", type=float, default=0.25, help="how many images get a region hidden")
    parser.add_argument(
        "--activation-run", type=Path, help="run of the first model whose class activation labels hidden disease"
    )


def _add_augmentation(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--no-augmentation", action="store_true")
    for limit in fields(AugmentationRange):
        group.add_argument(f"--{limit.name.replace('_', '-')}", type=float, default=limit.default)


def _train(arguments: argparse.Namespace) -> None:
    plan = _plan(arguments)
    if arguments.fold == _ALL_FOLDS:
        train_folds(plan, arguments.data, arguments.run, FOLDS)
    else:
        train(plan, arguments.data, arguments.run)


def _plan(arguments: argparse.Namespace) -> TrainingPlan:
    architecture = ARCHITECTURES[arguments.architecture]
    ranges = AugmentationRange(**{limit.name: getattr(arguments, limit.name) for limit in fields(AugmentationRange)})
    return TrainingPlan(
        architecture=architecture.name,
        image_size=arguments.image_size or architecture.image_size,
        init=arguments.init,
        head=arguments.head,
        fold=None if arguments.fold in (None, _ALL_FOLDS) else int(arguments.fold),
        adults=arguments.adults,
        adult_weight=arguments.adult_weight,
        balance=arguments.balance,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        optimizer=arguments.optimizer,
        learning_rate=arguments.learning_rate or architecture.learning_rate,
        label_smoothing=arguments.label_smoothing,
        averaging=arguments.averaging,
        patience=arguments.patience,
        augmentation=None if arguments.no_augmentation else ranges,
        masking=_masking(arguments),
        precision=arguments.precision,
        seed=arguments.seed,
    )


def _masking(arguments: argparse.Namespace) -> MaskAugmentation | None:
    if arguments.mask_augmentation is None:
        return None
    return MaskAugmentation(arguments.mask_augmentation, arguments.mask_share, str(arguments.activation_run or ""))
