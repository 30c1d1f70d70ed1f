"""The command line of `gate`."""

import argparse
from pathlib import Path

from export.gate.evaluation import evaluate_gate, gate_report


def add_gate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is measured; `--run` and `--data` are the caller's."""
    parser.epilog = (
        "Pictures of no chest: those that are drawn here, those in DATA/other, and those that packages carry. Install "
        "the extra `gate` (scikit-image, pydicom) for all that the published figures count."
    )
    parser.add_argument(
        "--lung-segmenter",
        type=Path,
        help="ONNX file of the lung segmenter, with plausible_lungs.json beside it; without, by ood_score alone",
    )
    parser.set_defaults(step=lambda a: print(gate_report(evaluate_gate(a.run, a.data, a.lung_segmenter))))
