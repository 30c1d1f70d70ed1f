"""`model.py` of the mirrored repository: one version of a model in ONNX Runtime, run by Triton's Python backend.

This file is copied into the mirror and runs in the local Triton's environment (numpy 1), never in the gateway's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]


class TritonPythonModel:
    """What the Python backend creates for each instance of a model; the class name is the backend's."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's ONNX file.

        Raises
        ------
        ValueError
            The file lacks an input or output that the configuration declares.
        """
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"], args["model_version"], "model.onnx")
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.session = onnxruntime.InferenceSession(path, _options(config), providers=["CPUExecutionProvider"])
        _require_names(self.inputs, self.session.get_inputs())
        _require_names([tensor["name"] for tensor in config["output"]], self.session.get_outputs())

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request of a dynamic batch with one run of the session."""
        wanted = sorted({name for request in requests for name in request.requested_output_names()})
        batches = {name: [_tensor(request, name) for request in requests] for name in self.inputs}
        results = self.session.run(wanted, {name: np.concatenate(arrays) for name, arrays in batches.items()})
        ends = np.cumsum([len(array) for array in batches[self.inputs[0]]])[:-1]
        parts = {name: np.split(result, ends) for name, result in zip(wanted, results, strict=True)}
        return [_response(request, parts, index) for index, request in enumerate(requests)]


def _options(config: dict[str, Any]) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # A parameter of the ONNX Runtime backend that this one replaces.
    threads = config.get("parameters", {}).get("intra_op_thread_count")
    if threads:
        options.intra_op_num_threads = int(threads["string_value"])
    return options


def _require_names(declared: list[str], tensors: list[Any]) -> None:
    present = [tensor.name for tensor in tensors]
    missing = set(declared) - set(present)
    if missing:
        raise ValueError(f"ONNX file must have the tensors of config.pbtxt. Missing: {missing}. Received: {present}")


def _tensor(request: Any, name: str) -> Any:
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _response(request: Any, parts: dict[str, list[Any]], index: int) -> Any:
    # Another request of the batch may have wanted more outputs.
    names = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, parts[name][index]) for name in names])
