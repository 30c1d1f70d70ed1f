"""From log-odds on held-out patients to calibrated probabilities and a decision rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

WANTED_SENSITIVITY = 0.97
_BAND_SENSITIVITIES = (0.99, 0.95)  # on both sides of the wanted one
_BAND_SPECIFICITY = 0.99
POLICY = f"highest threshold with sensitivity >= {WANTED_SENSITIVITY} on held-out patients of the training split"


@dataclass(frozen=True, slots=True)
class PlattScaling:
    """Calibrated log-odds are ``slope * log_odds + intercept`` (Platt 1999)."""

    slope: float
    intercept: float

    def apply(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrate log-odds of any shape."""
        return self.slope * log_odds + self.intercept


@dataclass(frozen=True, slots=True)
class DecisionThresholds:
    """Threshold on P(PNEUMONIA) and the band around it in which the answer is called indeterminate."""

    decision_threshold: float
    indeterminate_band: tuple[float, float]


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into probabilities, of any shape."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def fit_platt(log_odds: NDArray[np.float64], targets: NDArray[np.int64]) -> PlattScaling:
    """Fit by maximum likelihood, practically without regularisation.

    Parameters
    ----------
    log_odds
        Uncalibrated log-odds of PNEUMONIA on images that the network has not seen, shape ``[n]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.

    Raises
    ------
    ValueError
        The network ranks the wrong way round, so that no rising calibration exists.
    """
    fitted = LogisticRegression(C=1e6).fit(log_odds[:, np.newaxis], targets)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        raise ValueError(f"Higher log-odds must mean PNEUMONIA. Received: fitted slope={slope}")
    return PlattScaling(slope, float(fitted.intercept_[0]))


def choose_thresholds(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> DecisionThresholds:
    """Choose the decision threshold by `POLICY`.

    The band reaches from the threshold that finds 99 % of the pneumonias to the one that finds 95 %, and includes the
    one that clears 99 % of the normals: inside it the network is wrong noticeably more often than outside.

    Parameters
    ----------
    probabilities
        Calibrated P(PNEUMONIA) of held-out images, shape ``[n]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    """
    positives, negatives = probabilities[targets == 1], probabilities[targets == 0]
    threshold = _highest_keeping(positives, WANTED_SENSITIVITY)
    finding_most, finding_fewer = (_highest_keeping(positives, rate) for rate in _BAND_SENSITIVITIES)
    clearing = float(np.quantile(negatives, _BAND_SPECIFICITY, method="higher"))
    return DecisionThresholds(threshold, (min(finding_most, clearing), max(finding_fewer, clearing)))


def _highest_keeping(positives: NDArray[np.float64], sensitivity: float) -> float:
    """Find the highest threshold that at least this share of the positives reaches, rounded down to 4 digits."""
    quantile = float(np.quantile(positives, 1 - sensitivity, method="lower"))
    return float(np.clip(np.floor(quantile * 1e4) / 1e4, 0.01, 0.99))
