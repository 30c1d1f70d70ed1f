"""A model repository under the same contract as the shipped one, whose answers can be computed by hand.

The classifier's log-odds are ``SLOPE * mean grey / 255 + OFFSET``; the importance of a pixel is
``grey / 255 * importance_weights()``. What the input gate looks at are contrasts, each the mean grey of one half of the
pixels less that of the other half, over 255:

- `ood_score` is 10 times the absolute contrast of top and bottom;
- `presentation` is the softmax of FRONTAL, 10 times left less right, 10 times rim less middle columns, and 10 times
  right less left;
- `mask` is 1 less the absolute contrast of the two diagonals of quadrants, inside the middle quarter of the frame.

The maps of `classifier_explain` are not gradients of anything, so that they can be computed by hand:

- `grad_cam` is the mean of each block of 16 x 16 pixels over 255, not a number anywhere if the first block is white;
- `grad_cam_plus_plus` is its square;
- `saliency` is ``SALIENCY_SLOPE * (grey - 127.5)``, not a number anywhere if the last pixel is white;
- `features_1` is `grad_cam` times 4 and times 3, and `features_2` the mean of each quadrant less 127.5, over 255.

Each contrast is 0 in the patterns of the others, so that a test can call up one finding at a time.
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
PREVALENCE = 0.6
PRESENTATIONS = ("frontal", "rotated", "inverted", "lateral")
FRONTAL = 3.0
CONTRAST_SCALE = 10.0
OOD_LIMITS = {"unlike": 3.0, "refuse": 7.0}
PLAUSIBLE_LUNGS = {"area": (0.1, 0.6), "uncertainty": 1.0}
LUNG_AREA = 0.25
BLOCK = 16
SALIENCY_SLOPE = 2.0**-15
MAP_SCALES = {"grad_cam": 0.75, "grad_cam_plus_plus": 0.5, "saliency": 2.0**-9}
EARLY_FACTORS, EARLY_CHANNELS, LATE_CHANNELS = (4.0, 3.0), (7, 12), (5,)
FEATURES = [
    {"layer": "early", "output": "features_1", "channels": "features_1_channels", "scale": 4.0},
    {"layer": "late", "output": "features_2", "channels": "features_2_channels", "scale": 0.5},
]
_MIDDLE = slice(SIZE // 4, SIZE - SIZE // 4)
_PIXELS = SIZE * SIZE

_CLASSIFIER = f"""
<ir_version: 8, opset_import: ["": 17]>
classifier (uint8[n, {SIZE}, {SIZE}, 1] image)
    => (float[n, 2] logits, float[n, 2] probabilities, float[n, 1] ood_score, float[n, 4] presentation)
<float[1] slope = {{{SLOPE / 255}}}, float[1] offset = {{{OFFSET}}}, int64[2] flat = {{-1, {_PIXELS}}},
 float[4] bias = {{{FRONTAL}, 0.0, 0.0, 0.0}}> {{
    grey = Cast <to = 1> (image)
    levels = Reshape (grey, flat)
    contrast = MatMul (levels, top_less_bottom)
    ood_score = Abs (contrast)
    tilted = MatMul (levels, presentation_weights)
    biased = Add (tilted, bias)
    presentation = Softmax <axis = 1> (biased)
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

_LUNG_SEGMENTER = f"""
<ir_version: 8, opset_import: ["": 17]>
lung_segmenter (uint8[n, {SIZE}, {SIZE}, 1] image) => (float[n, {SIZE}, {SIZE}] mask)
<int64[2] flat = {{-1, {_PIXELS}}}, int64[3] scalar = {{-1, 1, 1}}, float[1] one = {{1.0}}> {{
    grey = Cast <to = 1> (image)
    levels = Reshape (grey, flat)
    contrast = MatMul (levels, diagonals)
    doubt = Abs (contrast)
    certain = Sub (one, doubt)
    confidence = Reshape (certain, scalar)
    mask = Mul (confidence, lungs)
}}"""

_CLASSIFIER_EXPLAIN = f"""
<ir_version: 8, opset_import: ["": 17]>
classifier_explain (uint8[n, {SIZE}, {SIZE}, 1] image)
    => (float[n, 2] logits, float[n, 2] probabilities, float[n, 8, 8] grad_cam,
        float[n, 8, 8] grad_cam_plus_plus, float[n, {SIZE}, {SIZE}] saliency,
        float[n, 2, 8, 8] features_1, int64[n, 2] features_1_channels,
        float[n, 1, 2, 2] features_2, int64[n, 1] features_2_channels)
<float[1] slope = {{{SLOPE / 255}}}, float[1] offset = {{{OFFSET}}}, int64[4] planes = {{-1, 1, {SIZE}, {SIZE}}},
 int64[3] map = {{-1, {SIZE}, {SIZE}}}, int64[1] channel = {{1}}, float[1] white = {{255.0}},
 float[1] middle = {{127.5}}, float[1] steepness = {{{SALIENCY_SLOPE}}},
 int64[2] axes = {{1, 2}}, int64[2] first = {{0, 0}}, int64[2] second = {{1, 1}},
 float[1, 2, 1, 1] factors = {{{EARLY_FACTORS[0]}, {EARLY_FACTORS[1]}}},
 int64[1, 2] early = {{{EARLY_CHANNELS[0]}, {EARLY_CHANNELS[1]}}}, int64[1, 1] late = {{{LATE_CHANNELS[0]}}},
 int64[2] last = {{{SIZE - 1}, {SIZE - 1}}}, int64[2] end = {{{SIZE}, {SIZE}}}> {{
    grey = Cast <to = 1> (image)
    columns = ReduceMean <axes = [1, 2], keepdims = 0> (grey)
    steep = Mul (columns, slope)
    z = Add (steep, offset)
    zero = Sub (z, z)
    logits = Concat <axis = 1> (zero, z)
    probabilities = Softmax <axis = 1> (logits)
    frame = Reshape (grey, planes)
    pooled = AveragePool <kernel_shape = [{BLOCK}, {BLOCK}], strides = [{BLOCK}, {BLOCK}]> (frame)
    blocks = Squeeze (pooled, channel)
    shares = Div (blocks, white)
    first_block = Slice (blocks, first, second, axes)
    below_white = Sub (white, first_block)
    nought = Sub (below_white, below_white)
    block_doubt = Div (nought, below_white)
    grad_cam = Add (shares, block_doubt)
    grad_cam_plus_plus = Mul (grad_cam, grad_cam)
    levels = Reshape (grey, map)
    last_pixel = Slice (levels, last, end, axes)
    pixel_below_white = Sub (white, last_pixel)
    pixel_nought = Sub (pixel_below_white, pixel_below_white)
    pixel_doubt = Div (pixel_nought, pixel_below_white)
    differences = Sub (levels, middle)
    slopes = Mul (differences, steepness)
    saliency = Add (slopes, pixel_doubt)
    cams = Unsqueeze (grad_cam, channel)
    features_1 = Mul (cams, factors)
    quadrants = AveragePool <kernel_shape = [{SIZE // 2}, {SIZE // 2}], strides = [{SIZE // 2}, {SIZE // 2}]> (frame)
    contrasts = Sub (quadrants, middle)
    features_2 = Div (contrasts, white)
    each = Shape (columns)
    features_1_channels = Expand (early, each)
    features_2_channels = Expand (late, each)
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
output { name: "probabilities" data_type: TYPE_FP32 dims: [2] label_filename: "labels.txt" }
output { name: "ood_score" data_type: TYPE_FP32 dims: [1] }
output { name: "presentation" data_type: TYPE_FP32 dims: [4] }""",
    "classifier_explain": f"""\
output {{ name: "logits" data_type: TYPE_FP32 dims: [2] }}
output {{ name: "probabilities" data_type: TYPE_FP32 dims: [2] label_filename: "labels.txt" }}
output {{ name: "grad_cam" data_type: TYPE_FP32 dims: [{SIZE // BLOCK}, {SIZE // BLOCK}] }}
output {{ name: "grad_cam_plus_plus" data_type: TYPE_FP32 dims: [{SIZE // BLOCK}, {SIZE // BLOCK}] }}
output {{ name: "saliency" data_type: TYPE_FP32 dims: [{SIZE}, {SIZE}] }}
output {{ name: "features_1" data_type: TYPE_FP32 dims: [2, {SIZE // BLOCK}, {SIZE // BLOCK}] }}
output {{ name: "features_1_channels" data_type: TYPE_INT64 dims: [2] }}
output {{ name: "features_2" data_type: TYPE_FP32 dims: [1, 2, 2] }}
output {{ name: "features_2_channels" data_type: TYPE_INT64 dims: [1] }}""",
    "lung_segmenter": f'output {{ name: "mask" data_type: TYPE_FP32 dims: [{SIZE}, {SIZE}] }}',
    "pixel_importance": f'output {{ name: "importance" data_type: TYPE_FP32 dims: [{SIZE}, {SIZE}] }}',
}


_UNDECIDED: dict[str, object] = dict.fromkeys(("labels", "decision_threshold", "indeterminate_band"))


def build(folder: Path) -> Path:
    """Write the repository into a folder and return the folder."""
    sha256 = _publish(folder / "classifier", _model(_CLASSIFIER, **_classifier_weights()), _classifier_record())
    explained = {**_classifier_record(), "classifier_sha256": sha256, "map_scales": MAP_SCALES, "features": FEATURES}
    _publish(folder / "classifier_explain", _model(_CLASSIFIER_EXPLAIN), explained)
    for name in ("classifier", "classifier_explain"):
        (folder / name / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    lungs = _model(_LUNG_SEGMENTER, diagonals=_weights(_signs("diagonals"), 1), lungs=lungs_of_confidence(1))
    _publish(folder / "lung_segmenter", lungs, {**_UNDECIDED, "plausible_lungs": PLAUSIBLE_LUNGS})
    importance = _model(_PIXEL_IMPORTANCE, weights=importance_weights())
    _publish(folder / "pixel_importance", importance, _UNDECIDED)
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


def grad_cam_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What `classifier_explain` answers to images ``[n, 128, 128, 1]``, computed without it."""
    blocks = images.reshape(-1, SIZE // BLOCK, BLOCK, SIZE // BLOCK, BLOCK).mean(axis=(2, 4))
    blocks[blocks[:, 0, 0] == 255] = np.nan
    return np.asarray(blocks / 255, np.float64)


def saliency_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What `classifier_explain` answers to images ``[n, 128, 128, 1]``, computed without it."""
    slopes = SALIENCY_SLOPE * (images[..., 0].astype(np.float64) - 127.5)
    slopes[images[:, -1, -1, 0] == 255] = np.nan
    return slopes


def features_of(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `classifier_explain` answers of its two layers to images ``[n, 128, 128, 1]``, computed without it."""
    half = SIZE // 2
    quadrants = images.reshape(-1, 1, 2, half, 2, half).mean(axis=(3, 5))
    early = grad_cam_of(images)[:, np.newaxis] * np.reshape(EARLY_FACTORS, (1, -1, 1, 1))
    return early, (quadrants - 127.5) / 255


def ood_score_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the classifier answers to images ``[n, 128, 128, 1]``, computed without it."""
    half = SIZE // 2
    return CONTRAST_SCALE * np.abs(_means(images[:, :half]) - _means(images[:, half:]))[:, np.newaxis] / 255


def presentation_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the classifier answers to images ``[n, 128, 128, 1]``, computed without it."""
    half = SIZE // 2
    left_less_right = _means(images[:, :, :half]) - _means(images[:, :, half:])
    rim = np.delete(images, range(SIZE)[_MIDDLE], axis=2)
    rim_less_middle = _means(rim) - _means(images[:, :, _MIDDLE])
    tilted = CONTRAST_SCALE / 255 * np.stack([left_less_right, rim_less_middle, -left_less_right])
    powers = np.exp([np.full(len(images), FRONTAL), *tilted])
    return np.transpose(powers / powers.sum(axis=0))


def mask_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the lung segmenter answers to images ``[n, 128, 128, 1]``, computed without it."""
    half = SIZE // 2
    falling = (_means(images[:, :half, :half]) + _means(images[:, half:, half:])) / 2
    rising = (_means(images[:, :half, half:]) + _means(images[:, half:, :half])) / 2
    return np.stack([lungs_of_confidence(1 - abs(doubt) / 255) for doubt in falling - rising])


def lungs_of_confidence(confidence: float) -> NDArray[np.float32]:
    """A mask ``[128, 128]`` of one value in the middle quarter of the frame."""
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[_MIDDLE, _MIDDLE] = confidence
    return mask


def pattern(name: str, contrast: float) -> NDArray[np.uint8]:
    """An image ``[128, 128]`` of middle grey in which one contrast has a value of -1 to 1, and the others are 0."""
    return np.rint(127.5 * (1 + contrast * _signs(name))).astype(np.uint8)


def _signs(name: str) -> NDArray[np.float64]:
    """1 in one half of the pixels and -1 in the other."""
    upper = np.where(np.arange(SIZE) < SIZE // 2, 1.0, -1.0)
    rim = np.ones(SIZE)
    rim[_MIDDLE] = -1
    return {
        "top_less_bottom": np.outer(upper, np.ones(SIZE)),
        "left_less_right": np.outer(np.ones(SIZE), upper),
        "rim_less_middle": np.outer(np.ones(SIZE), rim),
        "diagonals": np.outer(upper, upper),
    }[name]


def _means(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(images.mean(axis=(1, 2, 3)), np.float64)


def _classifier_weights() -> dict[str, NDArray[np.float32]]:
    sideways = _signs("left_less_right")
    tilts = (np.zeros_like(sideways), sideways, _signs("rim_less_middle"), -sideways)
    return {
        "top_less_bottom": _weights(_signs("top_less_bottom"), CONTRAST_SCALE),
        "presentation_weights": np.hstack([_weights(tilt, CONTRAST_SCALE) for tilt in tilts]),
    }


def _weights(signs: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Weights ``[pixels, 1]`` that make a contrast of grey levels."""
    return (signs * scale / 255 / (_PIXELS / 2)).reshape(_PIXELS, 1).astype(np.float32)


def _classifier_record() -> dict[str, object]:
    return {
        "labels": LABELS,
        "decision_threshold": DECISION_THRESHOLD,
        "indeterminate_band": INDETERMINATE_BAND,
        "prevalence": PREVALENCE,
        "presentations": PRESENTATIONS,
        "ood_limits": OOD_LIMITS,
    }


def _model(text: str, **initializers: NDArray[np.float32]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, name) for name, v in initializers.items())
    return model


def _publish(folder: Path, model: onnx.ModelProto, record: dict[str, object]) -> str:
    """Write a model's folder and return the hash of its file."""
    (folder / "1").mkdir(parents=True)
    content = model.SerializeToString()
    (folder / "1" / "model.onnx").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    release = {
        "architecture": "tiny",
        **record,
        "sha256": sha256,
        "training_data": "none: made for tests",
        "evaluation": {},
    }
    text = json.dumps(json.dumps({"1": release}))
    outputs = _OUTPUTS[folder.name]
    config = _CONFIG.format(name=folder.name, size=SIZE, outputs=outputs, release=text)
    (folder / "config.pbtxt").write_text(config)
    (folder / "MODEL_CARD.md").write_text(f"# {folder.name}\n\nMade for tests; it knows nothing of radiographs.\n")
    return sha256
