"""The command line of `explainable`."""

import argparse
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx.checker import ValidationError

from export.explainable.build import Wishes, explain_run, write_explainable
from export.explainable.maps import MAPS, Explained


def add_explainable_arguments(parser: argparse.ArgumentParser) -> None:
    """Take any ONNX classifier, or a run with its data."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("model", type=Path, nargs="?", metavar="MODEL.onnx", help="any classifier as an ONNX file")
    what.add_argument("--run", type=Path, help="a converted run, of which colour scales are measured too")
    parser.add_argument("--data", type=Path, help="with --run: folder with train/, val/ and test/")
    parser.add_argument("--out", type=Path, help="file to write; MODEL_explainable.onnx beside the model by default")
    parser.add_argument(
        "--logit",
        help="what is explained: TENSOR, TENSOR:INDEX or TENSOR:INDEX-OTHER, an entry of a tensor [n, k] less another; "
        "by default the only class, or the second less the first",
    )
    parser.add_argument("--layer", help="activation for Grad-CAM; by default the one behind the last convolution")
    parser.add_argument("--source", help="the image as floating-point numbers; found behind the input by default")
    parser.add_argument(
        "--features",
        type=_features,
        default=(),
        help="comma-separated layers whose strongest channels are given too, or `auto` for the first, the middle and "
        "the last activation; none by default",
    )
    parser.add_argument(
        "--maps", type=_names, default=(), help=f"comma-separated, of {', '.join(MAPS)}; all by default"
    )
    parser.set_defaults(step=lambda arguments: _explain(parser, arguments))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not set(names) <= set(MAPS):
        raise argparse.ArgumentTypeError(f"must be among {', '.join(MAPS)}")
    return names


def _features(text: str) -> tuple[str, ...] | None:
    return None if text == "auto" else tuple(name.strip() for name in text.split(",") if name.strip())


def _explain(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    wishes = Wishes(arguments.logit, arguments.layer, arguments.source, arguments.features, arguments.maps)
    try:
        if arguments.run is None:
            _explain_file(parser, arguments, wishes)
            return
        if arguments.data is None or arguments.out or wishes != Wishes(features=()):
            parser.error("--run goes with --data alone")
        explain_run(arguments.run, arguments.data)
    except (OSError, ValueError, DecodeError, ValidationError) as error:
        parser.error(str(error))


def _explain_file(parser: argparse.ArgumentParser, arguments: argparse.Namespace, wishes: Wishes) -> None:
    if arguments.data is not None:
        parser.error("--data goes with --run")
    model: Path = arguments.model
    out: Path = arguments.out or model.with_name(f"{model.stem}_explainable.onnx")
    if out.resolve() == model.resolve():
        parser.error(f"--out must be another file than the model. Received: {out}")
    print(f"{out}: {_describe(write_explainable(model, out, wishes))}")


def _describe(explained: Explained) -> str:
    terms = " ".join(
        f"{weight:+g} x {explained.scalar.tensor}[{place}]" for place, weight in explained.scalar.weights.items()
    )
    return f"explains {terms}; Grad-CAM at {explained.layer!r}, saliency by {explained.source!r}"
