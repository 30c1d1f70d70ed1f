"""What a positive or negative answer is worth where pneumonia is rarer than in the data."""

from collections.abc import Mapping

from export.evaluation.metrics import Figures

PREVALENCES = (0.05, 0.10, 0.20)


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """Give the positive and the negative predictive value by Bayes' theorem.

    Parameters
    ----------
    sensitivity, specificity
        Of the decision, 0..1.
    prevalence
        Share of PNEUMONIA among those examined, 0..1.

    Returns
    -------
    P(PNEUMONIA | said so) and P(NORMAL | said so), 0..1; None where it is never said.
    """
    found, alarmed = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    cleared, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return _share(found, found + alarmed), _share(cleared, cleared + missed)


def prevalence_figures(figures: Figures) -> Mapping[str, Figures]:
    """Give `ppv` and `npv` by prevalence, rounded to 4 digits, from figures with sensitivity and specificity."""
    sensitivity, specificity = figures["sensitivity"], figures["specificity"]
    if sensitivity is None or specificity is None:
        return {}
    return {
        f"{prevalence:.2f}": dict(
            zip(("ppv", "npv"), predictive_values(sensitivity, specificity, prevalence), strict=True)
        )
        for prevalence in PREVALENCES
    }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
