"""Pictures of an evaluation."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

from export.data.examples import LABELS
from export.evaluation.metrics import Figures, Judgements

matplotlib.use("Agg")


def plot_evaluation(judgements: Judgements, targets: NDArray[np.int64], figures: Figures, path: Path) -> None:
    """Draw ROC curve, reliability and confusion matrix side by side into a PNG file.

    Parameters
    ----------
    judgements
        Of n images, at one threshold.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    figures
        What `evaluate_judgements` gave for them, and the `decision_threshold`.
    path
        Where to write.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    roc, reliability, confusion = figure.subplots(1, 3)
    _draw_roc(roc, judgements.scores, targets, figures)
    _draw_reliability(reliability, judgements.probabilities, targets)
    ConfusionMatrixDisplay.from_predictions(
        targets, judgements.calls, display_labels=LABELS, ax=confusion, colorbar=False, cmap="Blues"
    )
    confusion.set_title(f"Threshold {figures['decision_threshold']}")
    figure.savefig(path, dpi=110)


def _draw_roc(axes: Axes, scores: NDArray[np.float64], targets: NDArray[np.int64], figures: Figures) -> None:
    RocCurveDisplay.from_predictions(targets, scores, ax=axes, plot_chance_level=True)
    operating_point = (1 - float(figures["specificity"]), float(figures["sensitivity"]))  # type: ignore[arg-type]
    axes.plot(*operating_point, "o", color="black", label="decision threshold")
    axes.legend(loc="lower right")
    axes.set(title=f"ROC, AUC {figures['auc']}", xlabel="1 - specificity", ylabel="sensitivity")


def _draw_reliability(axes: Axes, probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> None:
    observed, stated = calibration_curve(targets, probabilities, n_bins=10)
    axes.plot([0, 1], [0, 1], "--", color="grey")
    axes.plot(stated, observed, "o-")
    axes.set(title="Reliability", xlabel="stated P(PNEUMONIA)", ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
