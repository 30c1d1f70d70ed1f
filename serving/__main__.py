"""`python -m serving check` validates a model repository; `python -m serving triton` starts a real Triton on it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "check":
        return _check(options)
    return _triton(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--repository", type=Path, default=Path("model_repository"), help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", parents=[shared], help="hold every config.pbtxt against its ONNX files")
    triton = commands.add_parser("triton", parents=[shared], help="start a real Triton on loopback")
    for name, port in (("http", 8000), ("grpc", 8001), ("metrics", 8002)):
        triton.add_argument(f"--{name}-port", type=int, default=port, help="default: %(default)s")
    return parser


# Imported when asked for: checking needs the onnx package, and a local Triton needs its own environment.
def _check(options: argparse.Namespace) -> int:
    from serving import check

    return check.main(options.repository)


def _triton(options: argparse.Namespace) -> int:
    from serving import local_triton

    ports = local_triton.TritonPorts(options.http_port, options.grpc_port, options.metrics_port)
    return local_triton.serve(options.repository, ports)


if __name__ == "__main__":
    sys.exit(main())
