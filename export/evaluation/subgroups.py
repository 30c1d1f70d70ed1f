"""Figures of parts of the patients: subtype, population, sex, age group and view, where known."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.examples import Example
from export.evaluation.metrics import Figures, Judgements, balanced_figures, evaluate_judgements

_AGE_GROUPS = ((18, "0-17"), (40, "18-39"), (65, "40-64"), (200, "65+"))


def subgroup_figures(
    judgements: Judgements, examples: Sequence[Example], weights: NDArray[np.float64] | None = None
) -> Mapping[str, Mapping[str, Figures]]:
    """Measure each part of the images that can be named.

    Parameters
    ----------
    judgements
        Of n images.
    examples
        The n images.
    weights
        How much each image counts for the style-balanced figures, shape ``[n]``, or None for no such figures.

    Returns
    -------
    Figures by dimension and group. `subtype` holds one subtype of pneumonia against all normals of the populations
    in which it occurs; the other dimensions hold the images of one group.
    """
    dimensions = {
        "subtype": _subtype_members(examples),
        "population": _members([example.population for example in examples]),
        "sex": _members([example.sex for example in examples]),
        "age_group": _members([age_group(example.age) for example in examples]),
        "view": _members([example.view for example in examples]),
    }
    return {
        dimension: {name: _figures_of(members, judgements, examples, weights) for name, members in groups.items()}
        for dimension, groups in dimensions.items()
        if groups
    }


def age_group(age: int | None) -> str:
    """Name the group of an age in years: 0-17, 18-39, 40-64, 65+, or nothing where it is unknown."""
    return "" if age is None else next((name for end, name in _AGE_GROUPS if age < end), _AGE_GROUPS[-1][1])


def _members(names: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    labels = np.asarray(names)
    return {name: labels == name for name in sorted(set(names) - {""})}


def _subtype_members(examples: Sequence[Example]) -> dict[str, NDArray[np.bool_]]:
    targets = np.array([example.target for example in examples])
    subtypes = _members([example.subtype if example.subtype in ("bacteria", "virus") else "" for example in examples])
    populations = np.array([example.population for example in examples])
    return {
        name: members | ((targets == 0) & np.isin(populations, populations[members]))
        for name, members in subtypes.items()
    }


def _figures_of(
    members: NDArray[np.bool_],
    judgements: Judgements,
    examples: Sequence[Example],
    weights: NDArray[np.float64] | None,
) -> Figures:
    chosen, own = [examples[i] for i in np.flatnonzero(members).tolist()], judgements.of(members)
    targets = np.array([example.target for example in chosen])
    figures = evaluate_judgements(own, targets, [example.patient for example in chosen])
    balanced = {} if weights is None else balanced_figures(own, targets, weights[members])
    return {"pneumonia_images": int(targets.sum()), **figures, **balanced}
