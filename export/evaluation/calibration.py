"""From log-odds on held-out patients to calibrated probabilities and a decision rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Rule = Literal["sensitivity", "specificity", "accuracy", "youden"]
StyleBalance = Literal["none", "calibration", "all"]  # what is fitted with weights against style and view
_BAND_SENSITIVITIES = (0.99, 0.95)
_BAND_SPECIFICITY = 0.99
_LOWEST, _HIGHEST = 0.01, 0.99  # a threshold beyond them would rest on a handful of images
_GRID = np.linspace(_LOWEST, _HIGHEST, 981)


@dataclass(frozen=True, slots=True)
class PlattScaling:
    """Calibrated log-odds are ``slope * log_odds + intercept`` (Platt 1999)."""

    slope: float
    intercept: float

    def apply(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrate log-odds of any shape."""
        return self.slope * log_odds + self.intercept


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """What the threshold is chosen for.

    `sensitivity` and `specificity` take the threshold that keeps at least `rate` of it and gives most of the other;
    `accuracy` and `youden` (sensitivity + specificity - 1, Youden 1950) take the best one and have no `rate`.
    """

    rule: Rule = "sensitivity"
    rate: float | None = 0.97

    def __post_init__(self) -> None:
        """Refuse a rule without its rate, and a rate without its rule."""
        needs_rate = self.rule in ("sensitivity", "specificity")
        if needs_rate != (self.rate is not None) or not 0 < (self.rate or 0.5) < 1:
            raise ValueError(f"A kept rate must lie between 0 and 1, a best one has none. Received: {self}")

    def describe(self, population: str = "", balance: StyleBalance = "none") -> str:
        """Say it in words, for a model card.

        Parameters
        ----------
        population
            What the threshold is chosen on, empty for all.
        balance
            What is fitted with weights that keep style and view from telling the label.
        """
        place = f"on held-out {population or 'patients'} of the training data{_BALANCES[balance]}"
        if self.rule == "sensitivity":
            return f"highest threshold with sensitivity >= {self.rate} {place}"
        if self.rule == "specificity":
            return f"lowest threshold with specificity >= {self.rate} {place}"
        return f"threshold with the highest {_NAMES[self.rule]} {place}"


_NAMES: Mapping[str, str] = MappingProxyType(
    {"accuracy": "accuracy", "youden": "sum of sensitivity and specificity (Youden)"}
)
_BALANCES: Mapping[StyleBalance, str] = MappingProxyType(
    {
        "none": "",
        "calibration": ", without weights; the calibration is weighted against style and view",
        "all": ", weighted against style and view, as is the calibration",
    }
)
DEFAULT_POLICY = DecisionPolicy()


@dataclass(frozen=True, slots=True)
class DecisionThresholds:
    """Threshold on P(PNEUMONIA) and the band around it in which the answer is called indeterminate."""

    decision_threshold: float
    indeterminate_band: tuple[float, float]


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into probabilities, of any shape."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def fit_platt(
    log_odds: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> PlattScaling:
    """Fit by maximum likelihood, practically without regularisation.

    Parameters
    ----------
    log_odds
        Uncalibrated log-odds of PNEUMONIA on images that the network has not seen, shape ``[n]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    weights
        How much each image counts, shape ``[n]``; all the same by default.

    Raises
    ------
    ValueError
        The network ranks the wrong way round, so that no rising calibration exists.
    """
    fitted = LogisticRegression(C=1e6).fit(log_odds[:, np.newaxis], targets, sample_weight=weights)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        raise ValueError(f"Higher log-odds must mean PNEUMONIA. Received: fitted slope={slope}")
    return PlattScaling(slope, float(fitted.intercept_[0]))


def choose_thresholds(
    probabilities: NDArray[np.float64],
    targets: NDArray[np.int64],
    policy: DecisionPolicy = DEFAULT_POLICY,
    weights: NDArray[np.float64] | None = None,
) -> DecisionThresholds:
    """Find the threshold that a policy asks for, and the indeterminate band around it.

    The band reaches from the threshold of sensitivity 0.99 to that of 0.95, and to that of specificity 0.99 and the
    decision threshold where these lie outside: inside it the network is wrong noticeably more often than outside.

    Parameters
    ----------
    probabilities
        Calibrated P(PNEUMONIA) of held-out images, shape ``[n]``.
    targets
        1 for PNEUMONIA and 0 for NORMAL, shape ``[n]``.
    policy
        What to choose for.
    weights
        How much each image counts, shape ``[n]``; all the same by default.
    """
    counts = np.ones(len(targets)) if weights is None else weights
    threshold = _THRESHOLDS[policy.rule](probabilities, targets, counts, policy.rate or 0.0)
    finding_most, finding_fewer = (
        _keeping_sensitivity(probabilities, targets, counts, rate) for rate in _BAND_SENSITIVITIES
    )
    clearing = _keeping_specificity(probabilities, targets, counts, _BAND_SPECIFICITY)
    return DecisionThresholds(
        threshold, (min(finding_most, clearing, threshold), max(finding_fewer, clearing, threshold))
    )


def _keeping_sensitivity(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64], rate: float
) -> float:
    """Find the highest threshold that this share of the positives reaches, rounded down to 4 digits."""
    positives, counts = probabilities[targets == 1], weights[targets == 1]
    reached = _value_at_share(-positives, counts, rate)
    return float(np.clip(np.floor(-reached * 1e4) / 1e4, _LOWEST, _HIGHEST))


def _keeping_specificity(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64], rate: float
) -> float:
    """Find the lowest threshold that this share of the negatives stays under, to 4 digits."""
    cleared = _value_at_share(probabilities[targets == 0], weights[targets == 0], rate)
    return float(np.clip(np.floor(cleared * 1e4 + 1) / 1e4, _LOWEST, _HIGHEST))


def _value_at_share(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """Find the smallest value with at least this share of the weight at it or under it."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) >= share * weights.sum() * (1 - 1e-12)
    return float(values[order][np.argmax(reached)])


def _most_accurate(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64], _: float
) -> float:
    return _best_on_grid(probabilities, targets, weights)


def _best_youden(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64], _: float
) -> float:
    totals = np.array([weights[targets == label].sum() for label in (0, 1)])
    return _best_on_grid(probabilities, targets, weights / totals[targets])


def _best_on_grid(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    """Find a threshold with the most weight on the right side, in the middle of all such ones."""
    signs = np.where(targets == 1, weights, -weights)
    order = np.argsort(probabilities)
    lost_below = np.concatenate([[0.0], np.cumsum(signs[order])])  # found minus falsely found, that lies below
    right = -lost_below[np.searchsorted(probabilities[order], _GRID, side="left")]
    best = _GRID[right >= right.max() - 1e-9]
    return round(float(best[len(best) // 2]), 4)


_THRESHOLDS: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], float], float]] = (
    MappingProxyType(
        {
            "sensitivity": _keeping_sensitivity,
            "specificity": _keeping_specificity,
            "accuracy": _most_accurate,
            "youden": _best_youden,
        }
    )
)
