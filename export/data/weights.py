"""How much each training image counts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.examples import ADULTS, CHILDREN, Example, fold_group
from export.data.style import style_features, style_weights

BALANCES = ("class", "style")


def sample_weights(
    examples: Sequence[Example], images: NDArray[np.uint8], balance: str, adult_weight: float = 1.0
) -> NDArray[np.float32]:
    """Weigh images so that both labels count the same in each population.

    With ``style``, children are weighted so that the processing style says nothing about the label, and adults so that
    the view does not: in their data set normals are mostly AP and pneumonias mostly PA.

    Parameters
    ----------
    examples
        What the images are.
    images
        Grey levels, shape ``[n, h, w, 1]``, 0 to 255.
    balance
        One of `BALANCES`.
    adult_weight
        How much an adult counts for each child.

    Returns
    -------
    Weights, shape ``[n]``, with mean 1 in children and `adult_weight` in adults.
    """
    weights = np.ones(len(examples))
    for population in {example.population for example in examples}:
        members = [i for i, example in enumerate(examples) if example.population == population]
        group = [examples[i] for i in members]
        weights[members] = _balanced(group) * (1 if balance == "class" else _unconfounded(group, images[members]))
        weights[members] *= (adult_weight if population == ADULTS else 1) / weights[members].mean()
    return weights.astype(np.float32)


def _balanced(examples: Sequence[Example]) -> NDArray[np.float64]:
    targets = np.array([example.target for example in examples])
    share = targets.mean()
    return np.where(targets == 1, 0.5 / share, 0.5 / (1 - share))


def _unconfounded(examples: Sequence[Example], images: NDArray[np.uint8]) -> NDArray[np.float64]:
    targets = np.array([example.target for example in examples])
    if examples[0].population == CHILDREN:
        groups = [fold_group(example.patient) for example in examples]
        return style_weights(style_features(images[..., 0]), targets, groups)
    views = np.array([example.view for example in examples])
    weights = np.ones(len(examples))
    for view in np.unique(views):
        for target in (0, 1):
            cell = (views == view) & (targets == target)
            expected = (views == view).sum() * (targets == target).sum() / len(examples)
            weights[cell] = expected / max(cell.sum(), 1)
    return weights
