"""Figures of subgroups and at other prevalences, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from export.data.examples import Example
from export.evaluation.metrics import Judgements
from export.evaluation.prevalence import predictive_values, prevalence_figures
from export.evaluation.subgroups import age_group, subgroup_figures


def child(target: int, subtype: str, patient: str) -> Example:
    return Example(Path(f"{patient}.jpeg"), target, subtype, patient)


def adult(target: int, patient: str, sex: str, age: int, view: str) -> Example:
    return Example(Path(f"{patient}.jpeg"), target, "pneumonia", patient, "adults", sex, age, view)


EXAMPLES = [
    child(0, "normal", "a"),
    child(0, "normal", "b"),
    child(1, "bacteria", "c"),
    child(1, "bacteria", "d"),
    child(1, "virus", "e"),
    adult(0, "f", "M", 17, "PA"),
    adult(1, "g", "M", 40, "AP"),
    adult(0, "h", "F", 64, "PA"),
]
PROBABILITIES = np.array([0.1, 0.6, 0.9, 0.8, 0.3, 0.2, 0.7, 0.65])


def test_each_group_is_measured_on_its_own_images() -> None:
    groups = subgroup_figures(Judgements.at_threshold(PROBABILITIES, 0.5), EXAMPLES)
    assert set(groups) == {"subtype", "population", "sex", "age_group", "view"}
    bacteria, virus = groups["subtype"]["bacteria"], groups["subtype"]["virus"]
    assert (bacteria["images"], bacteria["pneumonia_images"], bacteria["auc"]) == (4, 2, 1.0)
    assert (virus["images"], virus["auc"], virus["sensitivity"]) == (3, 0.5, 0.0), "against the children's normals"
    children, adults = groups["population"]["children"], groups["population"]["adults"]
    # Of six pairs of children one is the wrong way round: the virus under the second normal.
    assert (children["auc"], children["specificity"]) == (pytest.approx(5 / 6, abs=1e-4), 0.5)
    assert (adults["images"], adults["auc"], adults["accuracy"]) == (3, 1.0, pytest.approx(2 / 3, abs=1e-4))
    assert groups["sex"]["F"]["auc"] is None, "one label only"
    assert groups["sex"]["F"]["specificity"] == 0.0
    assert sorted(groups["age_group"]) == ["0-17", "40-64"]
    assert {name: figures["images"] for name, figures in groups["view"].items()} == {"AP": 1, "PA": 2}


def test_weights_give_each_group_its_balanced_figures() -> None:
    """The normals of the children count 1 and 3: the one that is called PNEUMONIA is three quarters of them."""
    weights = np.array([1.0, 3, 1, 1, 1, 1, 1, 1])
    children = subgroup_figures(Judgements.at_threshold(PROBABILITIES, 0.5), EXAMPLES, weights)["population"][
        "children"
    ]
    assert (children["specificity"], children["style_balanced_specificity"]) == (0.5, 0.25)
    # Of three pneumonias times four normals by weight, the virus loses against the one that counts three times.
    assert children["style_balanced_auc"] == 0.75


def test_what_is_unknown_of_all_images_is_no_dimension() -> None:
    groups = subgroup_figures(Judgements.at_threshold(PROBABILITIES[:5], 0.5), EXAMPLES[:5])
    assert set(groups) == {"subtype", "population"}


def test_ages_fall_into_groups() -> None:
    ages = {None: "", 0: "0-17", 17: "0-17", 18: "18-39", 39: "18-39", 40: "40-64", 64: "40-64", 65: "65+", 414: "65+"}
    assert {age: age_group(age) for age in ages} == ages


def test_predictive_values_count_people() -> None:
    """Of 1000 people 100 have pneumonia: 90 are found; of 900 others 180 are alarmed."""
    ppv, npv = predictive_values(sensitivity=0.9, specificity=0.8, prevalence=0.1)
    assert ppv == pytest.approx(90 / 270, abs=1e-4)
    assert npv == pytest.approx(720 / 730, abs=1e-4)


def test_prevalences_are_those_of_the_issue_and_nothing_is_made_up() -> None:
    figures = prevalence_figures({"sensitivity": 1.0, "specificity": 0.5})
    assert list(figures) == ["0.05", "0.10", "0.20"]
    assert figures["0.20"] == {"ppv": pytest.approx(0.2 / 0.6, abs=1e-4), "npv": 1.0}
    assert prevalence_figures({"sensitivity": 1.0, "specificity": None}) == {}
    assert predictive_values(sensitivity=0.0, specificity=1.0, prevalence=0.1) == (None, 0.9)
