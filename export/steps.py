"""The steps after training, each reading and writing a run folder: convert, evaluate."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from export.data.examples import Example, load_images, read_split
from export.evaluation.calibration import DEFAULT_POLICY, DecisionPolicy, PlattScaling, sigmoid
from export.evaluation.evidence import Evidence, Sources, gather_evidence
from export.evaluation.held_out import (
    calibrate,
    cross_fit,
    cross_fitted_figures,
    origin_of,
    prevalence_of,
    require_same_plan,
    uncalibrated,
    uncalibrated_figures,
)
from export.evaluation.look_log import logged_look
from export.evaluation.metrics import Figures, Judgements, evaluate_judgements
from export.evaluation.record import nested_figures, targets_and_patients, write_evaluation
from export.evaluation.scoring import UNCALIBRATED_THRESHOLD, measured_file, score_run, score_with_keras
from export.evaluation.shortcut import Judge, find_masks, score_shortcuts
from export.gate.build import RULE as GATE_RULE
from export.gate.build import BuiltGate, build_gate
from export.release.conversion import (
    convert_classifier,
    convert_pixel_importance,
    largest_probability_difference,
    require_gate_parity,
    round_kernels_to_float16,
)
from export.release.folding import fold_batch_normalization
from export.release.provenance import hashes, require_current
from export.run_folder import write_json
from export.training.plan import read_plan
from export.training.records import count_shared_person_numbers
from export.training.train import load_trained, split_examples

PARITY_LIMIT = 1e-4
_PARITY_IMAGES = 15
_SHARED = "images_of_person_numbers_trained_on"
_DECISION = "decision.json"
OfficialSplit = Literal["val", "test"]


def convert_run(
    run: Path, sources: Sources, policy: DecisionPolicy = DEFAULT_POLICY, *, with_gate: bool = True
) -> None:
    """Write `model.onnx` and its figures on held-out patients; for a classifier also `decision.json`.

    Parameters
    ----------
    run
        The training to convert.
    sources
        The data set, and trainings with the same plan that each held out a fold, or `run` itself if it did. Their
        predictions of these folds give the calibration and the thresholds. The gradient model is measured on them
        alone: only its pixel weights are served.
    policy
        What the threshold is chosen for.
    with_gate
        Whether a classifier gets the input gate; without it a run can be compared, but not published.

    Raises
    ------
    ValueError
        A held-out run has another plan or may have seen what it is to judge, or the converted model differs from
        Keras.
    """
    evidence = _gather(run, sources)
    if is_gradient_model(run):
        onnx.save(convert_pixel_importance(load_trained(run)), run / "model.onnx")
    else:
        write_json(run / _DECISION, _convert_classifier(run, sources, evidence, policy, with_gate))
    _measure_held_out(run, sources, evidence, policy)


def evaluate_run(run: Path, data: Path, split: OfficialSplit, test_log: Path, segmenter: Path | None = None) -> Figures:
    """Measure a run on an official split; write `evaluation-<split>.json`, the same as Markdown, and pictures.

    A look at `test` is logged with the model's hash before it happens.

    Parameters
    ----------
    run
        The run folder; its `model.onnx` is measured if it is a calibrated classifier, else the network's weights.
    data
        The data set.
    split
        Which split.
    test_log
        Where looks at `test` are logged.
    segmenter
        An ONNX file that finds lungs, for the shortcut test; the official val and test have no reference masks.

    Raises
    ------
    FileNotFoundError
        The log cannot be opened, or the run to be measured on `test` is not converted.
    ValueError
        The decision rule in the run folder belongs to another model than the one beside it.
    """
    examples, threshold = read_split(data, split), _threshold_of(run)
    if split != "test":
        return _measure(run, examples, split, threshold, (data, segmenter))
    with logged_look(test_log, run, len(examples)) as look:
        figures = _measure(run, examples, split, threshold, (data, segmenter))
        look.update(figures)
    return figures


def evaluate_held_out(run: Path, sources: Sources) -> Figures:
    """Measure a run on the patients of `train` that it has not seen, or that runs with the same plan have not seen.

    Writes `evaluation-held_out.json`, the same as Markdown, and pictures. A classifier is measured by cross-fitting,
    with the policy of its `decision.json` or, before conversion, the default one.

    Raises
    ------
    ValueError
        A held-out run has another plan or may have seen what it is to judge, or the decision rule in the run folder
        belongs to another model.
    """
    decision = _decision_of(run)
    if not decision:
        return _measure_held_out(run, sources, _gather(run, sources), DEFAULT_POLICY)
    policy = DecisionPolicy(decision["policy_rule"], decision["policy_rate"])
    balanced = decision["style_balanced"]
    sources = replace(
        sources,
        balance_styles={False: "none", True: "all"}.get(balanced, balanced),  # runs of versions 1 and 2 say yes or no
        threshold_population=decision["threshold_population"],
    )
    return _measure_held_out(run, sources, _gather(run, sources), policy)


def is_gradient_model(run: Path) -> bool:
    """Tell whether a run trained the study's gradient model, of which the pixel weights alone are served."""
    return read_plan(run).architecture == "gradient"


def _gather(run: Path, sources: Sources) -> Evidence:
    for held_out_run in sources.held_out_runs:
        require_same_plan(run, held_out_run)
    open_network = load_trained if is_gradient_model(run) else prepare_for_inference

    def open_judge(held_out_run: Path) -> Judge:
        network = open_network(held_out_run)
        return lambda images: score_with_keras(network, images)

    return gather_evidence(sources, open_judge)


def _convert_classifier(
    run: Path, sources: Sources, evidence: Evidence, policy: DecisionPolicy, with_gate: bool
) -> dict[str, Any]:
    calibration, thresholds = calibrate(evidence.held_out, policy)
    network = prepare_for_inference(run)
    built = _build_gate(run, network, sources.data) if with_gate else None
    model = convert_classifier(network, calibration, built.gate if built else None)
    images = load_images(read_split(sources.data, "val"), read_plan(run).image_size)[:_PARITY_IMAGES]
    parity = _check_parity(model, network, calibration, images)
    if built:
        require_gate_parity(model, network, built.gate, images)
    onnx.save(model, run / "model.onnx")
    return {
        **asdict(calibration),
        **asdict(thresholds),
        "policy": policy.describe(sources.threshold_population, sources.balance_styles),
        "policy_rule": policy.rule,
        "policy_rate": policy.rate,
        "style_balanced": sources.balance_styles,
        "threshold_population": sources.threshold_population,
        "prevalence": round(prevalence_of(evidence.held_out), 4),
        "parity": parity,
        **(_gate_facts(built) if built else {}),
        **origin_of(sources.held_out_runs),
        **hashes(run, "model.onnx"),
    }


def _build_gate(run: Path, network: keras.Model, data: Path) -> BuiltGate:
    return build_gate(network, *split_examples(read_plan(run), data), data)


def _gate_facts(built: BuiltGate) -> dict[str, Any]:
    return {
        "presentations": built.gate.presentations,
        "ood_limits": asdict(built.limits),
        "ood_rule": GATE_RULE,
        "ood_out_of_fold": built.out_of_fold,
    }


def prepare_for_inference(run: Path) -> keras.Model:
    """Load the network of a run as it is converted: normalisations folded, large weights rounded to float16."""
    network = load_trained(run)
    fold_batch_normalization(network)
    round_kernels_to_float16(network)
    return network


def _check_parity(
    model: onnx.ModelProto, network: keras.Model, calibration: PlattScaling, images: NDArray[np.uint8]
) -> float:
    """Compare with Keras, one by one and in batches of 5."""
    expected = sigmoid(calibration.apply(score_with_keras(network, images)))
    difference = max(
        largest_probability_difference(model, images[i : i + n], expected[i : i + n])
        for n in (1, 5)
        for i in range(0, len(images), n)
    )
    if difference > PARITY_LIMIT:
        raise ValueError(f"The converted model must agree with Keras within {PARITY_LIMIT}. Received: {difference}")
    return difference


def _measure(
    run: Path, examples: list[Example], split: str, threshold: float, lungs: tuple[Path, Path | None]
) -> Figures:
    images = load_images(examples, read_plan(run).image_size)
    judgements = Judgements.at_threshold(score_run(run, images), threshold)
    masks = find_masks(examples, lungs[0], images.shape[1], lungs[1])
    scores = score_shortcuts(lambda parts: score_run(run, parts), images, masks)
    targets, patients = targets_and_patients(examples)
    figures = {"decision_threshold": threshold, **evaluate_judgements(judgements, targets, patients)}
    figures |= nested_figures(figures, judgements, examples, scores, masks.source)
    write_evaluation(run, split, judgements, targets, {**figures, **hashes(run, measured_file(run))})
    return figures


def _measure_held_out(run: Path, sources: Sources, evidence: Evidence, policy: DecisionPolicy) -> Figures:
    """Measure by cross-fitting, the gradient model as it is."""
    held_out = evidence.held_out
    if is_gradient_model(run):
        judgements, figures = uncalibrated(held_out), dict(uncalibrated_figures(held_out))
    else:
        judgements, figures = cross_fit(held_out, policy), dict(cross_fitted_figures(held_out, policy))
    figures[_SHARED] = sum(count_shared_person_numbers(fold, sources.data) for fold in sources.held_out_runs)
    figures |= nested_figures(
        figures, judgements, evidence.examples, evidence.shortcut, evidence.mask_source, held_out.weights
    )
    files = [name for name in ("model.onnx", "model.weights.h5") if (run / name).is_file()]
    measured = {**hashes(run, *files), **origin_of(sources.held_out_runs)}
    write_evaluation(run, "held_out", judgements, held_out.targets, {**figures, **measured})
    return figures


def _threshold_of(run: Path) -> float:
    return float(_decision_of(run).get("decision_threshold", UNCALIBRATED_THRESHOLD))


def _decision_of(run: Path) -> Mapping[str, Any]:
    """Read the decision rule of a converted classifier; empty for other runs."""
    if not (run / _DECISION).is_file():
        return {}
    decision: Mapping[str, Any] = json.loads((run / _DECISION).read_text())
    require_current(run, decision, _DECISION)
    return decision
