"""A model repository under the same contract as the shipped one, whose answers can be computed by hand.

The classifier's log-odds are ``SLOPE * mean grey / 255 + OFFSET``; the importance of a pixel is
``grey / 255 * importance_weights()``.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

SIZE = 128
SLOPE = 8.0
OFFSET = -3.0
LABELS = ("NORMAL", "PNEUMONIA")
DECISION_THRESHOLD = 0.4
INDETERMINATE_BAND = (0.35, 0.45)

_CLASSIFIER = f"""
<ir_version: 8, opset_import: ["": 17]>
classifier (uint8[n, {SIZE}, {SIZE}, 1] image) => (float[n, 2] logits, float[n, 2] probabilities)
<float[1] slope = {{{SLOPE / 255}}}, float[1] offset = {{{OFFSET}}}> {{
    grey = Cast <to = 1> (image)
    columns = ReduceMean <axes = [1, 2], keepdims = 0> (grey)
    steep = Mul (columns, slope)
    z = Add (steep, offset)
    zero = Sub (z, z)
    logits = Concat <axis = 1> (zero, z)
    probabilities = Softmax <axis = 1> (logits)
}}"""

_PIXEL_IMPORTANCE = f"""
<ir_version: 8, opset_import: ["": 17]>
pixel_importance (uint8[n, {SIZE}, {SIZE}, 1] image) => (float[n, {SIZE}, {SIZE}] importance)
<float[1] white = {{255.0}}, int64[1] channel = {{3}}> {{
    grey = Cast <to = 1> (image)
    frame = Squeeze (grey, channel)
    share = Div (frame, white)
    importance = Mul (share, weights)
}}"""

_CONFIG = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: 64
input {{ name: "image" data_type: TYPE_UINT8 dims: [{size}, {size}, 1] }}
{outputs}
instance_group {{ kind: KIND_AUTO count: 1 }}
dynamic_batching {{
  priority_levels: 2
  default_priority_level: 1
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: 30000000
    allow_timeout_override: true
    max_queue_size: 256
  }}
}}
model_warmup {{
  name: "first"
  batch_size: 1
  inputs {{ key: "image" value {{ data_type: TYPE_UINT8 dims: [{size}, {size}, 1] zero_data: true }} }}
}}
parameters {{ key: "release" value {{ string_value: {release} }} }}
"""

_OUTPUTS = {
    "classifier": """\
output { name: "logits" data_type: TYPE_FP32 dims: [2] }
output { name: "probabilities" data_type: TYPE_FP32 dims: [2] label_filename: "labels.txt" }""",
    "pixel_importance": f'output {{ name: "importance" data_type: TYPE_FP32 dims: [{SIZE}, {SIZE}] }}',
}


def build(folder: Path) -> Path:
    """Write the repository into a folder and return the folder."""
    decision = {"labels": LABELS, "decision_threshold": DECISION_THRESHOLD, "indeterminate_band": INDETERMINATE_BAND}
    _publish(folder / "classifier", onnx.parser.parse_model(_CLASSIFIER), decision)
    (folder / "classifier" / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    importance = onnx.parser.parse_model(_PIXEL_IMPORTANCE)
    importance.graph.initializer.append(onnx.numpy_helper.from_array(importance_weights(), "weights"))
    _publish(folder / "pixel_importance", importance, dict.fromkeys(decision))
    return folder


def importance_weights() -> NDArray[np.float32]:
    """Weights ``[128, 128]`` from 0 in the upper left corner to 1 in the lower right one."""
    return np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)


def logits_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the classifier answers to images ``[n, 128, 128, 1]``, computed without it."""
    log_odds = SLOPE * images.mean(axis=(1, 2, 3)) / 255 + OFFSET
    return np.stack([np.zeros_like(log_odds), log_odds], axis=1)


def probabilities_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the classifier answers to images ``[n, 128, 128, 1]``, computed without it."""
    pneumonia = 1 / (1 + np.exp(-logits_of(images)[:, 1]))
    return np.stack([1 - pneumonia, pneumonia], axis=1)


def importance_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the pixel importance model answers to images ``[n, 128, 128, 1]``, computed without it."""
    return images[..., 0] / 255.0 * importance_weights()


def _publish(folder: Path, model: onnx.ModelProto, decision: dict[str, object]) -> None:
    (folder / "1").mkdir(parents=True)
    content = model.SerializeToString()
    (folder / "1" / "model.onnx").write_bytes(content)
    release = {
        "architecture": "tiny",
        **decision,
        "sha256": hashlib.sha256(content).hexdigest(),
        "training_data": "none: made for tests",
        "evaluation": {},
    }
    text = json.dumps(json.dumps({"1": release}))
    outputs = _OUTPUTS[folder.name]
    config = _CONFIG.format(name=folder.name, size=SIZE, outputs=outputs, release=text)
    (folder / "config.pbtxt").write_text(config)
    (folder / "MODEL_CARD.md").write_text(f"# {folder.name}\n\nMade for tests; it knows nothing of radiographs.\n")
