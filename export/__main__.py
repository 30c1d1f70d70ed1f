"""`python -m export train|evaluate|convert|publish`."""

import argparse
from pathlib import Path

from export.architectures import ARCHITECTURES
from export.training import TrainingPlan, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("train")
    p.add_argument("--architecture", choices=sorted(ARCHITECTURES), required=True)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--run", type=Path, required=True)
    p.add_argument("--init", default="none")
    p.add_argument("--image-size", type=int)
    p.add_argument("--fold", type=int)
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--batch-size", type=int, default=32)
    p.add_argument("--learning-rate", type=float)
    p.add_argument("--patience", type=int, default=3)
    p.add_argument("--no-augmentation", action="store_true")
    p.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    arch = ARCHITECTURES[a.architecture]
    train(
        TrainingPlan(
            a.architecture,
            a.image_size or arch.image_size,
            a.init,
            a.fold,
            a.epochs,
            a.batch_size,
            a.learning_rate or arch.learning_rate,
            a.patience,
            not a.no_augmentation,
            a.precision,
            a.seed,
        ),
        a.data,
        a.run,
    )


main()
