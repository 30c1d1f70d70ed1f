"""The page in a real browser, on a real gateway; what it shows is held against what the API answers."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from api.explain.grid import GRIDS
from api.http.schemas import ExplainQuery
from api.imaging.render.regions import REGION_OPACITY
from api.imaging.render.scaled_map import COLOURS, OPACITY
from api.types import DISCLAIMER, Fill
from tests import tiny_repository as tiny
from tests.browser.conftest import (
    METHODS,
    Gateway,
    Page,
    Radiographs,
    StartGateway,
    ask_for,
    assert_quiet,
    assert_shows_explanations,
    decoded,
    percent,
)
from tests.conftest import missing

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


MAPS = METHODS[2:5]


# PNEUMONIA


def test_pneumonia_shows_the_original_and_both_overlays_of_the_answer(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    original = page.pixels_of(page.pictures()[0])
    np.testing.assert_array_equal(original, np.asarray(Image.open(radiographs.pneumonia).convert("RGBA")))
    assert_shows_explanations(page, tiny_gateway.explain(radiographs.pneumonia))
    assert_quiet(page, tiny_gateway)


def test_pneumonia_shows_class_probability_threshold_and_model(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    prediction = tiny_gateway.explain(radiographs.pneumonia)["prediction"]
    assert page.part("label").text == "PNEUMONIA"
    assert page.part("probability").text == f"probability {percent(prediction['probability'])}"
    assert "Decision threshold: 40.0%" in page.part("threshold").text
    facts = page.part("facts").text
    assert "classifier, version 1 (tiny)" in facts
    assert "PNG, 400 \N{MULTIPLICATION SIGN} 300 pixels, 8-bit" in facts


def test_captions_say_where_and_what(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    explanations = tiny_gateway.explain(radiographs.pneumonia)["explanations"]
    original, boxed, dominant = page.captions()
    assert "pneumonia.png" in original
    assert "The whiter half: image-right (in a standard frontal view the patient's left)." in boxed
    assert "Its whiter quadrant: lower right." in boxed
    assert percent(explanations["silhouette"]["scores"]["image_right"]) in boxed
    assert f"{percent(explanations['gradient']['coverage'])} of the image" in dominant
    assert "the brightest is the most important" in dominant


def test_every_picture_has_an_alternative_text(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    texts = [image.get_attribute("alt") for image in page.pictures()]
    assert all(texts)
    assert len(set(texts)) == 3


def test_a_constant_map_is_said_to_show_nothing(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["explanations"]["gradient"] |= {"constant": True, "coverage": 0.0}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert "equally important, so none is shown" in page.captions()[2]
    assert "at least" not in page.captions()[2]


def test_an_indeterminate_answer_says_so(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    assert not page.part("indeterminate").is_displayed()
    page.ask(tiny_gateway, radiographs.indeterminate)
    assert tiny_gateway.explain(radiographs.indeterminate)["prediction"]["indeterminate"]
    assert page.part("probability").text.endswith("%, indeterminate")
    assert "cannot tell NORMAL from PNEUMONIA" in page.part("indeterminate").text


def test_the_prevalence_that_the_probability_assumes_is_shown(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, start_gateway: StartGateway, tiny_repository: Path
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    assert "Both assume that 60.0% of the radiographs show PNEUMONIA." in page.part("threshold").text
    site = start_gateway(
        CXR_MODEL_REPOSITORY=str(tiny_repository), CXR_PREVALENCE="0.05", CXR_DECISION_THRESHOLD="0.123"
    )
    page.ask(site, radiographs.pneumonia)
    prediction = site.explain(radiographs.pneumonia)["prediction"]
    said = page.part("threshold").text
    assert f"Probability of PNEUMONIA: {percent(prediction['probabilities']['PNEUMONIA'])}." in said
    assert "Decision threshold: 12.3%" in said
    assert "Both assume that 5.0% of the radiographs show PNEUMONIA." in said


def test_an_unknown_prevalence_is_not_mentioned(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["prediction"]["prevalence"] = None
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert page.part("threshold").text.endswith("from there on, the model says PNEUMONIA.")


# Methods


@pytest.mark.parametrize("methods", [("grad_cam",), ("gradient", "saliency"), METHODS])
def test_the_methods_chosen_are_shown_and_no_other(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, methods: tuple[str, ...]
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, *methods)
    answer = tiny_gateway.explain(radiographs.pneumonia, *methods)
    assert set(answer["explanations"]) == set(methods)
    assert_shows_explanations(page, answer)
    assert page.part("assessment").text.replace("\n", " ") == answer["trust"]["text"]
    assert_quiet(page, tiny_gateway)


def test_the_page_proposes_the_studys_two_methods(page: Page, tiny_gateway: Gateway) -> None:
    page.open(tiny_gateway)
    chosen = {method: box.is_selected() for method, box in page.method_boxes().items()}
    assert chosen == {method: method in ("silhouette", "gradient") for method in METHODS}
    assert all(box.is_enabled() for box in page.method_boxes().values())
    assert not page.part("methods-missing").is_displayed()


def test_a_map_says_its_scale_its_unit_and_how_large_its_strongest_part_is(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, *MAPS)
    explanations = tiny_gateway.explain(radiographs.pneumonia, *MAPS)["explanations"]
    scales = [scale.text.split("\n") for scale in page.driver.find_elements(By.CLASS_NAME, "scale")]
    assert scales == [
        ["0", "0.00195 log-odds per grey level, or more"],
        ["0", "0.75 log-odds, or more"],
        ["0", "0.5 arbitrary units, or more"],
    ]
    for caption, method in zip(page.captions()[1:], MAPS, strict=True):
        share = percent(explanations[method]["coverage"])
        assert f"The strongest part, from 70% of this map's maximum: {share} of the image." in caption
    assert "in a grid of 8 \N{MULTIPLICATION SIGN} 8" in page.captions()[2]
    assert "0.7 more doubles the odds of PNEUMONIA" in page.text()
    assert ["do not add up" in caption for caption in page.captions()[1:]] == [False, False, True]


@pytest.mark.parametrize(("method", "opacity"), [("grad_cam", OPACITY), ("occlusion", REGION_OPACITY)])
def test_the_colour_bar_has_the_colours_of_the_overlays(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, method: str, opacity: float
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, method)
    bar = page.driver.find_element(By.CLASS_NAME, "bar")
    assert bar.size["width"] > 100
    stops = re.findall(r"rgba?\(([^)]*)\)", bar.value_of_css_property("background-image"))
    shown = np.array([[float(value) for value in stop.split(",")] for stop in stops])
    np.testing.assert_array_equal(shown[:, :3], COLOURS)
    np.testing.assert_allclose(shown[:, 3], opacity * np.linspace(0, 1, len(COLOURS)), atol=0.003)


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [("constant", "The map is the same everywhere."), ("non_finite", "The model's arithmetic failed")],
)
def test_a_map_that_says_nothing_is_not_drawn_and_the_reason_is_given(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, flag: str, sentence: str
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "grad_cam")
    nothing = {"overlay": None, "heatmap": None, "bounding_box": None, "coverage": 0.0}
    answer["explanations"]["grad_cam"] |= {flag: True, **nothing}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert len(page.pictures()) == 1
    assert page.captions()[1] == "Grad-CAM"
    assert sentence in page.text()
    assert page.driver.find_elements(By.CLASS_NAME, "bar") == []
    assert "log-odds" not in page.text()


def test_occlusion_says_how_regions_were_hidden_and_what_the_strongest_takes_away(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "occlusion", fill="blur")
    block = answer["explanations"]["occlusion"]
    block["half"] = "image_right"  # none of this image's, when it is blurred
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    drops = {each["name"]: each["drop"] for each in block["regions"]}
    said = page.captions()[1]
    assert "when a region is blurred beyond recognition" in said
    where = {"image_upper": "upper", "image_lower": "lower"}[block["quadrant"].rsplit("_", 1)[0]]
    side = block["quadrant"].rsplit("_", 1)[1]
    assert f"Most is lost at the box: {where} {side}, {drops[block['quadrant']]:.3g} log-odds." in said
    assert "Of the halves, most is lost with image-right." in said
    (scale,) = page.driver.find_elements(By.CLASS_NAME, "scale")
    assert scale.text.split("\n") == ["0", f"{block['scale'][1]:g} log-odds, or more"]
    assert "0.7 more doubles the odds of PNEUMONIA" in page.text()


def test_a_half_without_a_quadrant_is_named_once(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "occlusion")
    answer["explanations"]["occlusion"] |= {"half": "image_left", "quadrant": None}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert "Most is lost at the box: left half, " in page.captions()[1]
    assert "Of the halves" not in page.captions()[1]


def test_a_cell_of_a_grid_is_named_by_row_and_column(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "occlusion")
    block = answer["explanations"]["occlusion"]
    cells = [{**block["regions"][0], "name": f"row_2_column_{n}", "rank": 3 - n, "drop": n / 3} for n in (1, 2)]
    block |= {"regions": cells, "half": None, "quadrant": None, "fill": "mean"}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert "filled with the mean of what lies around it" in page.captions()[1]
    assert "Most is lost at the box: row 2, column 2 from the upper left, 0.667 log-odds." in page.captions()[1]
    assert "Of the halves" not in page.captions()[1]


def test_occlusion_that_finds_nothing_is_not_drawn_and_says_so(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "occlusion")
    nothing = dict.fromkeys(("overlay", "bounding_box", "half", "quadrant"))
    answer["explanations"]["occlusion"] |= {"none": True, **nothing}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert len(page.pictures()) == 1
    assert "Hiding a region lowers the score nowhere." in page.text()
    assert "filled with the mean of what lies around it" in page.captions()[1]
    assert "Most is lost" not in page.text()


def test_each_layer_has_its_montage_scale_and_caption(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, "layers")
    _, early, late = page.captions()
    assert early.startswith("Layer 1 of 2\nThe 2 strongest channels of early, each 8 \N{MULTIPLICATION SIGN} 8")
    assert late.startswith("Layer 2 of 2\nThe strongest channel of late, each 2 \N{MULTIPLICATION SIGN} 2")
    signed = [
        layer["signed"]
        for layer in tiny_gateway.explain(radiographs.pneumonia, "layers")["explanations"]["layers"]["layers"]
    ]
    assert ["Some values are negative" in caption for caption in (early, late)] == signed
    scales = [scale.text.split("\n") for scale in page.driver.find_elements(By.CLASS_NAME, "scale")]
    assert scales == [["0", "4 activation, or more"], ["0", "0.5 activation, or more"]]
    texts = [picture.get_attribute("alt") for picture in page.pictures()[1:]]
    assert texts == ["Feature maps of channels 7, 12 of early.", "Feature maps of channels 5 of late."]
    assert "0.7 more doubles" not in page.text()


def test_the_colour_bar_of_a_montage_has_its_colours(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, "layers")
    bar = page.driver.find_element(By.CLASS_NAME, "solid")
    stops = re.findall(r"rgb\(([^)]*)\)", bar.value_of_css_property("background-image"))
    np.testing.assert_array_equal([[float(value) for value in stop.split(",")] for stop in stops], COLOURS)


def test_a_layer_whose_arithmetic_failed_is_not_drawn(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "layers")
    answer["explanations"]["layers"]["layers"][0] |= {"montage": None, "non_finite": True}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert len(page.pictures()) == 2
    assert page.captions()[1] == "Layer 1 of 2"
    assert "The model's arithmetic failed for this layer" in page.text()


AGREEING = ("grad_cam", "occlusion")


def test_the_affected_region_and_the_text_are_those_of_the_answer(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, *AGREEING)
    answer = tiny_gateway.explain(radiographs.pneumonia, *AGREEING)
    region = answer["affected_region"]
    assert page.part("assessment").text.replace("\n", " ") == answer["trust"]["text"]
    image = page.part("region").find_element(By.TAG_NAME, "img")
    np.testing.assert_array_equal(page.pixels_of(image), decoded(region["overlay"]))
    assert image.get_attribute("alt")
    said = page.part("region").text
    assert f"{region['area_percent_of_lungs']:.1f}% of the lungs: image-right (in a standard frontal view" in said
    assert f"{' and '.join(region['zone'])} third" in said
    assert "Marked by Grad-CAM, Occlusion. The line shows where these methods point together" in said
    assert_quiet(page, tiny_gateway)


def test_without_a_region_the_text_gives_the_reason(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    nothing = dict.fromkeys(answer["affected_region"])
    answer["affected_region"] = {**nothing, "reason": "methods disagree"}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert page.part("region").find_elements(By.TAG_NAME, "img") == []
    assert page.part("assessment").text.replace("\n", " ") == answer["trust"]["text"]


def test_the_original_comes_first_then_the_region_and_the_text_then_the_methods(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, *AGREEING)
    original, *methods = page.pictures()
    region = page.part("region").find_element(By.TAG_NAME, "img")
    said = page.part("assessment")
    assert original.location["x"] < region.location["x"] < said.location["x"]
    below = original.location["y"] + original.size["height"]
    assert max(region.location["y"], said.location["y"]) < below
    assert all(picture.location["y"] > below for picture in methods)
    in_order = page.run("return [...document.querySelectorAll('figcaption strong')].map((title) => title.textContent)")
    assert in_order == ["Original", "Affected region", "Grad-CAM", "Occlusion"]


def test_a_region_of_several_methods_and_all_thirds_is_said_to_be_so(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, *AGREEING)
    answer["affected_region"] |= {
        "zone": ["upper", "middle", "lower"],
        "side": "both",
        "methods": ["grad_cam", "occlusion"],
    }
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    said = page.part("region").text
    assert "of the lungs: both sides, all thirds of their height." in said
    assert "Marked by Grad-CAM, Occlusion. The line shows where these methods point together" in said


def trust_table(page: Page) -> list[list[str]]:
    rows = page.part("trust").find_elements(By.TAG_NAME, "tr")
    return [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]


def test_a_table_says_how_far_to_trust_each_picture(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "silhouette", "grad_cam")
    trust = answer["trust"]["methods"]
    trust["silhouette"]["flags"] = ["contradicting", "independent_of_classifier"]
    trust["grad_cam"] |= {"lung_energy": None, "flags": ["unheard_of"]}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    share = percent(trust["silhouette"]["lung_energy"])
    dash = "\N{EN DASH}"
    assert trust_table(page) == [
        ["Method", "In the lungs", "Remarks"],
        ["Silhouette", share, "contradicts another method; does not look at the model"],
        ["Grad-CAM", dash, "unheard_of"],
    ]
    trust["grad_cam"] |= {"stability": 0.876, "deletion": 0.25, "insertion": 0.75, "flags": []}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert trust_table(page)[0] == [
        "Method", "In the lungs", "Stability", "Mean when hiding", "Mean when showing", "Remarks",
    ]  # fmt: skip
    assert trust_table(page)[2] == ["Grad-CAM", dash, "0.876", "25.0%", "75.0%", dash]
    assert "Stability is 1 if the picture stays" in page.text()


def test_the_pictures_are_put_to_the_test_on_request(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, "silhouette")
    assert "Stability" not in page.part("trust").text
    page.part("full").click()
    page.choose(radiographs.pneumonia)
    page.part("submit").click()
    page.wait_for_outcome()
    (row,) = trust_table(page)[1:]
    assert re.fullmatch(r"-?[01](\.\d+)?", row[2])
    assert row[3].endswith("%") and row[4].endswith("%")
    assert_quiet(page, tiny_gateway)


def test_without_a_method_nothing_is_sent(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.open(tiny_gateway)
    page.choose(radiographs.pneumonia)
    page.choose_methods()
    page.part("submit").click()
    first = page.method_boxes()["silhouette"]
    assert first.get_property("validationMessage") == "Choose at least one explanation."
    assert not page.part("result").is_displayed()
    assert not page.part("problem").is_displayed()
    page.choose_methods("saliency")
    page.part("submit").click()
    page.wait_for_outcome()
    assert len(page.pictures()) == 2


def test_maps_are_not_offered_where_their_model_is_not_served(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, radiographs: Radiographs, tmp_path: Path
) -> None:
    smaller = tmp_path / "model_repository"
    shutil.copytree(tiny_repository, smaller, ignore=shutil.ignore_patterns("classifier_explain"))
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(smaller))
    page.open(gateway)
    page.wait_until(lambda: page.part("methods-missing").is_displayed())
    offered = {method for method, box in page.method_boxes().items() if box.is_enabled()}
    assert offered == {"silhouette", "gradient", "occlusion"}
    page.ask(gateway, radiographs.pneumonia)
    assert_shows_explanations(page, gateway.explain(radiographs.pneumonia))


# Options

OPTIONS = ("regions", "fill", "lungs")


@pytest.mark.parametrize(
    ("methods", "offered"),
    [
        (("silhouette",), {"regions", "lungs"}),
        (("occlusion", "layers"), {"regions", "fill"}),
        (("silhouette", "occlusion"), {"regions", "fill", "lungs"}),
        (("gradient", "grad_cam"), set()),
    ],
)
def test_only_options_that_do_something_are_offered(
    page: Page, tiny_gateway: Gateway, methods: tuple[str, ...], offered: set[str]
) -> None:
    page.open(tiny_gateway)
    assert not page.part("regions").is_displayed()
    page.choose_options()
    assert page.part("regions").is_displayed()
    page.choose_methods(*methods)
    assert {option for option in OPTIONS if page.part(option).is_enabled()} == offered


def test_every_grid_and_fill_of_the_interface_is_offered_and_its_defaults_chosen(
    page: Page, tiny_gateway: Gateway
) -> None:
    page.open(tiny_gateway)
    chosen = {option: Select(page.part(option)) for option in ("regions", "fill")}
    offered = {name: [str(o.get_attribute("value")) for o in box.options] for name, box in chosen.items()}
    assert offered["regions"] == ["", *map(str, GRIDS)]
    for count, option in zip(GRIDS, chosen["regions"].options[1:], strict=True):
        rows, columns = GRIDS[count]
        assert option.get_attribute("textContent") == f"{count} ({rows} \N{MULTIPLICATION SIGN} {columns})"
    assert sorted(offered["fill"]) == sorted(get_args(Fill))
    defaults = ExplainQuery()
    assert chosen["regions"].first_selected_option.get_attribute("value") == (defaults.regions or "")
    assert chosen["fill"].first_selected_option.get_attribute("value") == defaults.fill
    assert page.part("lungs").is_selected() == defaults.lungs


def query_sent(page: Page, file: Path) -> dict[str, list[str]]:
    """Send a file and return what the page asks for."""
    page.run(
        "const real = window.fetch; window.fetch = (url, request) => { window.asked = url; return real(url, request) }"
    )
    page.send(file)
    return parse_qs(urlsplit(str(page.run("return window.asked"))).query)


def test_options_are_asked_for_as_chosen_and_not_where_they_do_nothing(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.choose_methods("silhouette", "occlusion")
    page.choose_options(regions="8", fill="black", lungs=True)
    everything = {"methods": ["silhouette,occlusion"], "regions": ["8"], "fill": ["black"], "lungs": ["true"]}
    assert query_sent(page, radiographs.pneumonia) == everything
    page.choose_methods("gradient")
    assert query_sent(page, radiographs.pneumonia) == {"methods": ["gradient"]}


@pytest.mark.parametrize(
    "options", [{"regions": "6", "fill": "black"}, {"regions": "24", "fill": "black", "lungs": "true"}]
)
def test_the_pictures_are_those_of_the_options(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, options: dict[str, str]
) -> None:
    methods = ("silhouette", "occlusion")
    page.open(tiny_gateway)
    page.choose_methods(*methods)
    page.choose_options(options["regions"], options["fill"], "lungs" in options)
    page.send(radiographs.pneumonia)
    answer = tiny_gateway.explain(radiographs.pneumonia, *methods, **options)
    assert_shows_explanations(page, answer)
    assert f"of {options['regions']} regions" in page.captions()[1]
    assert_quiet(page, tiny_gateway)


def test_a_grid_names_its_brightest_region_and_its_share(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.choose_options(regions="6")
    page.send(radiographs.pneumonia)
    block = tiny_gateway.explain(radiographs.pneumonia, "silhouette", regions="6")["explanations"]["silhouette"]
    # The lower right quadrant is the brighter one, and the lower right third lies in it.
    side = "image-right (in a standard frontal view the patient's left)"
    assert page.captions()[1] == (
        f"Silhouette\nThe brightest of 6 regions: lower right; {side}.\n"
        f"It holds {percent(block['scores']['image_lower_right'])} of the brightness of all; "
        "an equal share would be 16.7%."
    )


def test_with_the_lungs_alone_the_mean_grey_level_and_no_share_is_given(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.choose_options(lungs=True)
    page.send(radiographs.pneumonia)
    block = tiny_gateway.explain(radiographs.pneumonia, "silhouette", lungs="true")["explanations"]["silhouette"]
    said = page.captions()[1]
    assert "The brightest of 4 regions: lower right; image-right" in said
    assert f"a mean grey level of {block['scores']['image_lower_right']:.3g}, where 0 is black and 255" in said
    assert "share" not in said
    assert block["borders"] is None
    assert "border" not in said


def with_borders(answer: dict[str, Any], *aucs: float) -> str:
    borders = [("heart", "image_right"), ("diaphragm", "image_left")]
    answer["explanations"]["silhouette"]["borders"] = [
        {
            "border": border,
            "side": side,
            "sharpness": 0.2,
            "normals_less_sharp": 0.317,
            "auc": auc,
            "auc_95": [0.5, 0.9],
        }
        for (border, side), auc in zip(borders, aucs, strict=False)
    ]
    return json.dumps(answer)


def test_borders_are_told_with_how_little_they_tell(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia, "silhouette", lungs="true")
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, with_borders(answer, 0.716, 0.604))
    said = page.captions()[1]
    assert "sharper than in 31.7% (heart, image-right), 31.7% (diaphragm, image-left) of normal children." in said
    assert "with an AUC of 0.60 to 0.72 in children, where 0.5 is chance, and not at all in adults." in said
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, with_borders(answer, 0.716))
    assert "with an AUC of 0.72 in children" in page.captions()[1]
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, with_borders(answer))
    assert "border" not in page.captions()[1]


def test_without_lungs_in_the_image_no_region_is_drawn(page: Page, tiny_gateway: Gateway, tmp_path: Path) -> None:
    file = patterned(tmp_path, "diagonals", 0.6)
    page.open(tiny_gateway)
    page.choose_methods("silhouette")
    page.choose_options(lungs=True)
    page.send(file)
    block = tiny_gateway.explain(file, "silhouette", lungs="true")["explanations"]["silhouette"]
    assert block["lungs_found"] is False
    assert len(page.pictures()) == 1
    assert page.captions()[1] == "Silhouette"
    assert "No lungs were found in this image, so no region is named or drawn." in page.text()
    assert_quiet(page, tiny_gateway)


def test_the_lungs_are_not_offered_where_their_model_is_not_served(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, radiographs: Radiographs, tmp_path: Path
) -> None:
    smaller = tmp_path / "model_repository"
    shutil.copytree(tiny_repository, smaller, ignore=shutil.ignore_patterns("lung_segmenter"))
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(smaller), CXR_QUALITY_GATE="off")
    page.open(gateway)
    page.choose_options()
    page.wait_until(lambda: page.part("lungs-missing").is_displayed())
    assert not page.part("lungs").is_enabled()
    page.choose_methods("silhouette", "occlusion")
    assert not page.part("lungs").is_enabled()
    assert page.part("regions").is_enabled()
    page.run("document.getElementById('lungs').disabled = false")  # as if the model went away meanwhile
    page.choose_options(lungs=True)
    page.send(radiographs.pneumonia)
    assert page.part("problem-title").text == "The model server is not available"
    assert not page.part("result").is_displayed()


def test_an_option_that_the_gateway_does_not_know_shows_the_problem(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.run("document.querySelector('#regions option:last-child').value = '25'")
    page.choose_options(regions="25")
    page.send(radiographs.pneumonia)
    assert "regions" in page.part("problem-detail").text
    assert "must be one of 4, 6, 8, 16, 24" in page.part("problem-detail").text
    assert not page.part("result").is_displayed()


# Quality


def test_nothing_is_said_of_the_quality_of_a_usual_radiograph(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    assert tiny_gateway.explain(radiographs.pneumonia)["quality"]["warnings"] == []
    assert not page.part("quality").is_displayed()
    assert not page.part("unchecked").is_displayed()


@pytest.mark.parametrize(
    ("pattern", "contrast", "sentence"),
    [
        ("left_less_right", 0.8, "The radiograph seems to be rotated."),
        ("left_less_right", -0.8, "This seems to be a lateral view, or another that is not frontal."),
        ("rim_less_middle", 0.8, "Black and white seem to be inverted."),
        ("top_less_bottom", 0.5, "The image is unlike the radiographs that the model has learned from"),
        ("diagonals", 0.5, "No lungs were found"),
    ],
)
def test_a_warning_is_a_plain_sentence(
    page: Page, tiny_gateway: Gateway, tmp_path: Path, pattern: str, contrast: float, sentence: str
) -> None:
    page.ask(tiny_gateway, patterned(tmp_path, pattern, contrast))
    (item,) = page.part("quality").find_elements(By.TAG_NAME, "li")
    assert item.is_displayed()
    assert item.text.startswith(sentence)
    assert "Check the image before relying on this result" in page.part("quality").text
    assert_quiet(page, tiny_gateway)


def test_warnings_of_one_image_are_gone_with_the_next(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, tmp_path: Path
) -> None:
    page.ask(tiny_gateway, patterned(tmp_path, "left_less_right", 0.8))
    page.choose(radiographs.pneumonia)
    page.part("submit").click()
    page.wait_for_outcome()
    assert not page.part("quality").is_displayed()


def test_a_refusal_says_what_is_wrong_and_shows_no_result(page: Page, tiny_gateway: Gateway, tmp_path: Path) -> None:
    page.ask(tiny_gateway, patterned(tmp_path, "top_less_bottom", 0.9))
    assert page.part("problem-title").text == "The image is not a chest radiograph"
    detail = page.part("problem-detail").text
    assert detail.startswith("The image must be a chest radiograph.")
    assert detail.endswith("Send a frontal view, upright, with bones white.")
    assert not page.part("result").is_displayed()
    assert page.pictures() == []


def test_with_the_gate_off_the_page_warns_that_the_result_means_nothing(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, tmp_path: Path
) -> None:
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(tiny_repository), CXR_QUALITY_GATE="off")
    page.ask(gateway, patterned(tmp_path, "top_less_bottom", 0.9))
    foreign, unlike = page.part("quality").find_elements(By.TAG_NAME, "li")
    assert foreign.text.startswith("This does not look like a chest radiograph. The result means nothing")
    assert unlike.text.startswith("The image is unlike")


def test_a_warning_of_a_newer_gateway_and_an_unchecked_image_are_not_kept_back(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["quality"]["warnings"] = ["hand_in_the_way"]
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert "The check of the image reports: hand_in_the_way." in page.part("quality").text
    answer["quality"] = None
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert not page.part("quality").is_displayed()
    assert "Whether the image is a chest radiograph at all was not checked." in page.text()


def patterned(folder: Path, pattern: str, contrast: float) -> Path:
    file = folder / "pattern.png"
    Image.fromarray(tiny.pattern(pattern, contrast)).save(file)
    return file


# NORMAL


def test_normal_shows_the_original_alone_and_says_why(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.normal)
    prediction = tiny_gateway.explain(radiographs.normal)["prediction"]
    assert page.part("label").text == "NORMAL"
    assert page.part("probability").text == f"probability {percent(prediction['probability'])}"
    pneumonia = percent(prediction["probabilities"]["PNEUMONIA"])
    assert f"Probability of PNEUMONIA: {pneumonia}." in page.part("threshold").text
    (original,) = page.pictures()
    np.testing.assert_array_equal(page.pixels_of(original), np.asarray(Image.open(radiographs.normal).convert("RGBA")))
    assert "No explanation is shown for NORMAL." in page.text()
    assert not page.part("assessment").is_displayed()
    assert not page.part("trust").is_displayed()
    assert_quiet(page, tiny_gateway)


# Problems


def test_a_file_that_is_no_image_shows_the_problem(page: Page, tiny_gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no radiograph")
    page.ask(tiny_gateway, file)
    assert page.part("problem-title").text == "The image format is not supported"
    assert "must be a DICOM, JPEG or PNG image" in page.part("problem-detail").text
    assert len(page.part("problem-request").text) > len("Request id: ")
    assert page.pictures() == []


def test_a_truncated_image_shows_the_problem_in_place_of_the_result(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, tmp_path: Path
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    file = tmp_path / "half.png"
    file.write_bytes(radiographs.pneumonia.read_bytes()[:2000])
    page.choose(file)
    page.part("submit").click()
    page.wait_for_outcome()
    assert page.part("problem-title").text == "The image cannot be decoded"
    assert not page.part("result").is_displayed()


def test_a_model_server_that_is_away_means_try_again(
    page: Page, start_gateway: StartGateway, radiographs: Radiographs
) -> None:
    gateway = start_gateway("/healthz", CXR_BACKEND="triton", CXR_TRITON_URL="127.0.0.1:9")
    page.ask(gateway, radiographs.pneumonia)
    assert page.part("problem-title").text == "The model server is not available"
    assert page.part("problem-hint").text == "Please try again in 5 s or later."


def test_a_gateway_that_is_gone_shows_a_problem_and_leaves_the_form_usable(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, radiographs: Radiographs
) -> None:
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(tiny_repository))
    page.open(gateway)
    gateway.stop()
    page.choose(radiographs.pneumonia)
    page.part("submit").click()
    page.wait_for_outcome()
    assert page.part("problem-title").text == "The gateway could not be reached"
    assert not page.part("problem-request").is_displayed()
    assert page.part("submit").is_enabled()


def test_an_answer_that_is_not_the_gateways_shows_a_problem(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    ask_for(page, tiny_gateway, radiographs.pneumonia, 502, "<h1>Bad gateway</h1>")
    assert page.part("problem-title").text == "The answer could not be read"
    assert "status 502" in page.part("problem-detail").text


@pytest.mark.parametrize("missing_part", ["explanations", "prediction", "input", "trust", "receipt"])
def test_half_an_answer_is_not_shown(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, missing_part: str
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    del answer[missing_part]
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert page.part("problem-title").text == "The answer could not be shown"
    assert not page.part("result").is_displayed()


def test_a_missing_probability_is_not_shown_as_a_number(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["prediction"]["probability"] = None
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    assert page.part("problem-title").text == "The answer could not be shown"


def test_markup_in_an_answer_stays_text(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    markup = "<img src=x onerror=alert(1)>"
    problem = {"title": markup, "detail": markup, "request_id": markup}
    ask_for(page, tiny_gateway, radiographs.pneumonia, 422, json.dumps(problem))
    assert page.part("problem-title").text == page.part("problem-detail").text == markup
    assert page.driver.find_elements(By.TAG_NAME, "img") == []


# The form


def test_the_disclaimer_is_there_from_the_start(page: Page, tiny_gateway: Gateway) -> None:
    page.open(tiny_gateway)
    assert DISCLAIMER in page.text()
    assert_quiet(page, tiny_gateway)


def test_without_a_file_nothing_is_sent(page: Page, tiny_gateway: Gateway) -> None:
    page.open(tiny_gateway)
    page.part("submit").click()
    assert page.driver.switch_to.active_element == page.part("file")
    assert not page.part("problem").is_displayed()


def test_the_keyboard_is_enough(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.open(tiny_gateway)
    assert page.press(Keys.TAB) == page.part("file")
    page.choose(radiographs.pneumonia)
    for box in page.method_boxes().values():
        assert page.press(Keys.TAB) == box
    assert page.press(Keys.TAB) == page.part("full")
    assert page.press(Keys.TAB).tag_name == "summary"
    page.press(Keys.ENTER)
    for option in ("regions", "lungs", "submit"):
        assert page.press(Keys.TAB) == page.part(option)
    page.press(Keys.ENTER)
    page.wait_for_outcome()
    assert page.driver.switch_to.active_element == page.part("result-title")


def test_a_dropped_file_is_chosen(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.open(tiny_gateway)
    page.drop(radiographs.pneumonia)
    page.part("submit").click()
    page.wait_for_outcome()
    assert "pneumonia.png" in page.captions()[0]
    assert_quiet(page, tiny_gateway)


def test_two_dropped_files_are_refused(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.open(tiny_gateway)
    page.drop(radiographs.pneumonia, radiographs.normal)
    assert page.part("problem-title").text == "One radiograph at a time"


def test_waiting_is_visible_and_another_file_calls_it_off(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.choose(radiographs.pneumonia)
    with_latency(page, 1500)
    try:
        page.part("submit").click()
        assert not page.part("submit").is_enabled()
        assert page.part("outcome").get_attribute("aria-busy") == "true"
        assert page.part("status").text == "Reading the radiograph…"
        page.choose(radiographs.normal)
        assert page.part("submit").is_enabled()
        assert not page.part("problem").is_displayed()
        page.part("submit").click()
        page.wait_for_outcome()
    finally:
        with_latency(page, 0)
    assert page.part("label").text == "NORMAL"
    assert page.part("outcome").get_attribute("aria-busy") == "false"
    assert len(page.pictures()) == 1


def test_a_late_answer_to_an_earlier_submission_is_ignored(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.run("window.resolvers = []; window.fetch = () => new Promise((resolve) => resolvers.push(resolve))")
    for sent, file in enumerate((radiographs.pneumonia, radiographs.normal), 1):
        page.choose(file)
        page.part("submit").click()
        wait_for_requests(page, sent)
    resolve = "resolvers[arguments[0]](new Response(arguments[1]))"
    page.run(resolve, 0, json.dumps(tiny_gateway.explain(radiographs.pneumonia)))
    assert page.part("outcome").get_attribute("aria-busy") == "true"
    page.run(resolve, 1, json.dumps(tiny_gateway.explain(radiographs.normal)))
    page.wait_for_outcome()
    assert page.part("label").text == "NORMAL"


def wait_for_requests(page: Page, count: int) -> None:
    page.wait_until(lambda: page.run("return resolvers.length") == count)


def test_choosing_another_file_takes_the_old_result_away(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    page.choose(radiographs.normal)
    assert not page.part("result").is_displayed()
    assert page.pictures() == []


_OVERFLOWS = """
function overflows(element) {
  const { right, width } = element.getBoundingClientRect();
  return (width && right > innerWidth) || (element.clientWidth && element.scrollWidth > element.clientWidth + 1);
}
"""


def test_a_narrow_screen_stacks_the_pictures_and_never_scrolls_sideways(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    narrow: dict[str, object] = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.devtools("Emulation.setDeviceMetricsOverride", narrow)
    try:
        page.open(tiny_gateway)
        page.choose_methods(*METHODS)
        page.choose_options(regions="24", fill="black", lungs=True)
        page.part("full").click()
        page.send(radiographs.pneumonia)
        page.part("receipt-short").click()
        width = page.run("return document.documentElement.scrollWidth")
        tops = [image.location["y"] for image in page.pictures()]
        beyond = page.run(
            "return [...document.querySelectorAll('main *')].filter(overflows).map((e) => e.outerHTML);" + _OVERFLOWS
        )
        caption = page.part("trust").find_element(By.TAG_NAME, "caption").size
        row = page.part("trust").find_element(By.CSS_SELECTOR, "tbody tr").size
    finally:
        page.devtools("Emulation.clearDeviceMetricsOverride", {})
    assert width == 360
    assert len(set(tops)) == len(tops) == 9
    assert beyond == []
    assert caption["width"] > 250 > row["height"]


def with_latency(page: Page, milliseconds: int) -> None:
    conditions: dict[str, object] = {
        "offline": False,
        "latency": milliseconds,
        "downloadThroughput": -1,
        "uploadThroughput": -1,
    }
    page.devtools("Network.emulateNetworkConditions", conditions)


# The shipped models on real radiographs


def samples() -> list[Path]:
    return sorted(SAMPLES.glob("*.jpeg"))


def test_the_samples_hold_both_classes() -> None:
    if not samples():
        missing("tests/data/samples must hold radiographs. Received: none")
    assert {file.name.partition("-")[0] for file in samples()} == {"normal", "pneumonia"}


@pytest.mark.parametrize("sample", samples(), ids=lambda file: file.name)
def test_a_real_radiograph_on_the_shipped_models(page: Page, shipped_gateway: Gateway, sample: Path) -> None:
    page.ask(shipped_gateway, sample)
    answer = shipped_gateway.explain(sample)
    with Image.open(sample) as radiograph:
        original = np.asarray(radiograph.convert("RGBA"), dtype=np.int16)
    label = sample.name.partition("-")[0].upper()
    assert page.part("label").text == answer["prediction"]["label"] == label
    # Two JPEG decoders may round differently.
    assert np.abs(page.pixels_of(page.pictures()[0]) - original).max() <= 2
    if label == "PNEUMONIA":
        assert_shows_explanations(page, answer)
    else:
        assert len(page.pictures()) == 1
    assert_quiet(page, shipped_gateway)


# The interface


def test_the_interface_page_lists_every_operation_from_this_host_alone(page: Page, tiny_gateway: Gateway) -> None:
    page.open(tiny_gateway, "/docs")
    contract = httpx.get(f"{tiny_gateway.url}/openapi.json").json()
    operations = [f"{method.upper()} {path}" for path, methods in contract["paths"].items() for method in methods]

    def headings() -> list[str]:
        return [heading.text for heading in page.driver.find_elements(By.CSS_SELECTOR, "main h2")]

    page.wait_until(lambda: headings() == [*operations, "Schemas"])
    assert "number, 0.5 to 1" in page.text()
    assert "regions integer" in page.text()
    assert_quiet(page, tiny_gateway)
