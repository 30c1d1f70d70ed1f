"""DICOM files on the page: none is shown, all else is; what stands there is held against what the API answers."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from api import acquisition
from tests.browser.conftest import (
    METHODS,
    Gateway,
    Page,
    Radiographs,
    StartGateway,
    ask_for,
    assert_quiet,
    assert_shows_explanations,
    percent,
)
from tests.dicom.files import PATIENT_DATA, Storage, radiograph_file

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
NOT_SHOWN = "A browser cannot show a DICOM file."
DRAWN_ON_IT = "The explanations are drawn on the radiograph in it."

# Counts object URLs that are made and not given back, and keeps what is sent.
_WATCH = """
window.urls = 0;
const [create, revoke, send] = [URL.createObjectURL, URL.revokeObjectURL, window.fetch];
URL.createObjectURL = (file) => { urls += 1; return create.call(URL, file); };
URL.revokeObjectURL = (url) => { urls -= 1; revoke.call(URL, url); };
window.fetch = (url, request) => { window.sent = request.body.get("image"); return send(url, request); };
"""


def as_dicom(radiograph: Path, name: str = "radiograph.dcm", storage: Storage | None = None, **attributes: Any) -> Path:
    """Put a radiograph into a DICOM file beside it."""
    file = radiograph.with_name(name)
    with Image.open(radiograph) as image:
        file.write_bytes(radiograph_file(np.asarray(image), storage, **attributes))
    return file


def probability_on(page: Page) -> float:
    """The probability of PNEUMONIA that the page shows."""
    said = re.search(r"Probability of PNEUMONIA: (?:under |over )?([\d.]+)%", page.part("threshold").text)
    assert said
    return float(said[1]) / 100


def warnings_on(page: Page) -> list[str]:
    return [item.text for item in page.part("quality").find_elements(By.TAG_NAME, "li")]


# Answers


@pytest.mark.parametrize("methods", [("silhouette", "gradient"), METHODS])
def test_all_but_the_original_is_shown(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, methods: tuple[str, ...]
) -> None:
    file = as_dicom(radiographs.pneumonia, storage=Storage(bits=12))
    page.ask(tiny_gateway, file, *methods)
    answer = tiny_gateway.explain(file, *methods)
    assert answer["input"] == {"format": "dicom", "width": 400, "height": 300, "bit_depth": 12}
    assert page.part("label").text == answer["prediction"]["label"] == "PNEUMONIA"
    assert page.part("probability").text == f"probability {percent(answer['prediction']['probability'])}"
    assert_shows_explanations(page, answer)
    assert page.part("assessment").text.replace("\n", " ") == answer["trust"]["text"]
    assert page.part("trust").is_displayed()
    assert "DICOM, 400 \N{MULTIPLICATION SIGN} 300 pixels, 12-bit" in page.part("facts").text
    assert_quiet(page, tiny_gateway)


def test_in_place_of_the_original_stands_why_it_is_not_shown(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, as_dicom(radiographs.pneumonia, storage=Storage(bits=12)))
    original = page.part("original")
    assert original.find_elements(By.TAG_NAME, "img") == []
    assert original.text == f"{NOT_SHOWN} {DRAWN_ON_IT}\nOriginal\nAs sent: radiograph.dcm"
    assert len(page.pictures()) == 2


def test_it_is_said_to_be_below_explanations_only_where_it_is(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, as_dicom(radiographs.pneumonia), "layers")
    assert len(page.pictures()) == 2
    assert page.part("original").text.startswith(f"{NOT_SHOWN}\n")


def test_a_normal_dicom_file_has_no_picture_at_all(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.ask(tiny_gateway, as_dicom(radiographs.normal))
    assert page.part("label").text == "NORMAL"
    assert page.driver.find_elements(By.CSS_SELECTOR, "main img") == []
    assert NOT_SHOWN in page.text()
    assert "No explanation is shown for NORMAL." in page.text()
    assert_quiet(page, tiny_gateway)


def test_dicom_and_png_of_one_radiograph_say_the_same(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.indeterminate)
    label, probability = page.part("label").text, probability_on(page)
    page.ask(tiny_gateway, as_dicom(radiographs.indeterminate))
    assert page.part("label").text == label
    assert probability_on(page) == pytest.approx(probability, abs=0.005)


@pytest.mark.parametrize("name", ["normal-1", "pneumonia-1"])
def test_a_real_radiograph_says_on_the_shipped_models_what_its_jpeg_says(
    page: Page, shipped_gateway: Gateway, tmp_path: Path, name: str
) -> None:
    jpeg = SAMPLES / f"{name}.jpeg"
    copy = tmp_path / "copy.png"
    with Image.open(jpeg) as radiograph:
        radiograph.convert("L").save(copy)
    page.ask(shipped_gateway, as_dicom(copy, storage=Storage(bits=12, inverted=True)))
    expected = shipped_gateway.explain(jpeg)["prediction"]
    assert page.part("label").text == expected["label"]
    assert probability_on(page) == pytest.approx(expected["probabilities"]["PNEUMONIA"], abs=0.005)


def test_nothing_of_the_patient_is_on_the_page(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    file = as_dicom(radiographs.pneumonia)
    assert b"DOE^JANE" in file.read_bytes()
    page.ask(tiny_gateway, file)
    source = re.sub('base64,[^"]*', "", str(page.run("return document.documentElement.outerHTML")))
    assert "As sent: radiograph.dcm" in source
    assert [datum for datum in PATIENT_DATA if datum in source] == []


def test_object_urls_are_made_for_what_can_be_shown_and_given_back(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.open(tiny_gateway)
    page.run(_WATCH)
    page.send(radiographs.pneumonia)
    assert page.run("return urls") == 1
    page.send(as_dicom(radiographs.pneumonia))
    assert page.run("return urls") == 0
    page.send(radiographs.normal)
    assert page.run("return urls") == 1


# Files


def test_the_chooser_hides_no_file(page: Page, tiny_gateway: Gateway) -> None:
    page.open(tiny_gateway)
    assert page.part("file").get_attribute("accept") == ""
    assert "JPEG, PNG or DICOM, whatever its name" in page.part("hint").text


@pytest.mark.parametrize("name", ["radiograph.dcm", "IM000001", "2.25.4711.1", "notes.txt", "misnamed.png"])
@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_a_dicom_file_of_any_name_is_taken(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, name: str, way: str
) -> None:
    file = as_dicom(radiographs.pneumonia, name)
    page.open(tiny_gateway)
    page.run(_WATCH)
    page.choose(file) if way == "chosen" else page.drop(file)
    page.part("submit").click()
    page.wait_for_outcome()
    assert page.part("label").text == "PNEUMONIA"
    assert page.run("return [sent.type, sent.name]") == ["application/dicom", "radiograph"]
    assert NOT_SHOWN in page.text()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("radiograph.png", "image/png"),
        ("radiograph", "application/octet-stream"),
        ("a.txt", "application/octet-stream"),
    ],
)
def test_other_files_keep_the_type_of_an_image_and_else_have_none(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, tmp_path: Path, name: str, media_type: str
) -> None:
    file = tmp_path / name
    file.write_bytes(radiographs.pneumonia.read_bytes())
    page.open(tiny_gateway)
    page.run(_WATCH)
    page.send(file)
    assert page.part("label").text == "PNEUMONIA"
    assert page.run("return sent.type") == media_type


# Warnings

SENTENCES = {
    acquisition.LATERAL: "This seems to be a lateral view, or another that is not frontal.",
    acquisition.OTHER_BODY_PART: "The DICOM file says that this is another part of the body than the chest.",
    acquisition.NOT_A_RADIOGRAPH: "The DICOM file says that this is no radiograph. The result means nothing",
    acquisition.VIEW_UNKNOWN: "The DICOM file does not clearly say that the view is frontal.",
    acquisition.BODY_PART_UNKNOWN: "The DICOM file does not clearly say that this is a chest.",
    acquisition.MODALITY_UNKNOWN: "The DICOM file does not clearly say that this is a radiograph.",
    acquisition.ROTATED: "The radiograph seems to be rotated.",
    acquisition.MIRRORED: "The DICOM file says that the radiograph is mirrored",
    acquisition.ORIENTATION_UNKNOWN: "The DICOM file does not clearly say how the radiograph is oriented",
    acquisition.BURNED_IN: "The DICOM file says that text about the patient is burned into the image.",
    acquisition.FOR_PROCESSING: "The DICOM file holds an image for processing",
}


def test_every_code_that_comes_from_tags_has_its_sentence(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    everything = {value for name, value in vars(acquisition).items() if name.isupper() and isinstance(value, str)}
    assert everything == set(SENTENCES)
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["quality"]["warnings"] = list(SENTENCES)
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    for said, sentence in zip(warnings_on(page), SENTENCES.values(), strict=True):
        assert said.startswith(sentence)


@pytest.mark.parametrize(
    ("attributes", "codes"),
    [
        ({}, []),
        ({"ViewPosition": None, "ViewCodeSequence": None}, [acquisition.VIEW_UNKNOWN]),
        ({"BodyPartExamined": None, "AnatomicRegionSequence": None}, [acquisition.BODY_PART_UNKNOWN]),
        ({"Modality": "OT"}, [acquisition.MODALITY_UNKNOWN]),
        ({"BurnedInAnnotation": "YES"}, [acquisition.BURNED_IN]),
        ({"PresentationIntentType": "FOR PROCESSING"}, [acquisition.FOR_PROCESSING]),
        ({"PatientOrientation": ["R", "F"]}, [acquisition.MIRRORED]),
        ({"PatientOrientation": ["F", "R"]}, [acquisition.ROTATED]),
    ],
)
def test_what_the_tags_warn_of_is_said(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, attributes: dict[str, Any], codes: list[str]
) -> None:
    file = as_dicom(radiographs.pneumonia, **attributes)
    page.ask(tiny_gateway, file)
    assert tiny_gateway.explain(file)["quality"]["warnings"] == codes
    assert len(warnings_on(page)) == len(codes)
    assert all(said.startswith(SENTENCES[code]) for said, code in zip(warnings_on(page), codes, strict=True))
    assert page.part("quality").is_displayed() == bool(codes)
    assert_quiet(page, tiny_gateway)


REFUSED: dict[str, dict[str, Any]] = {
    acquisition.LATERAL: {"ViewPosition": "LL"},
    acquisition.OTHER_BODY_PART: {"BodyPartExamined": "KNEE"},
    acquisition.NOT_A_RADIOGRAPH: {"Modality": "CT"},
}


@pytest.mark.parametrize("code", REFUSED)
def test_with_the_gate_off_what_would_be_refused_is_a_warning(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, radiographs: Radiographs, code: str
) -> None:
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(tiny_repository), CXR_QUALITY_GATE="off")
    page.ask(gateway, as_dicom(radiographs.pneumonia, **REFUSED[code]))
    (said,) = warnings_on(page)
    assert said.startswith(SENTENCES[code])
    assert page.part("label").text == "PNEUMONIA"


# Problems


@pytest.mark.parametrize(
    ("code", "kind", "title"),
    [
        (acquisition.LATERAL, "unsupported-view", "The view is not a frontal one of the chest"),
        (acquisition.OTHER_BODY_PART, "unsupported-view", "The view is not a frontal one of the chest"),
        (acquisition.NOT_A_RADIOGRAPH, "not-a-chest-radiograph", "The image is not a chest radiograph"),
    ],
)
def test_what_the_tags_plainly_speak_against_is_refused_with_the_reason(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs, code: str, kind: str, title: str
) -> None:
    file = as_dicom(radiographs.pneumonia, **REFUSED[code])
    page.ask(tiny_gateway, file)
    assert tiny_gateway.refusal(file)["type"] == f"/problems/{kind}"
    assert page.part("problem-title").text == title
    assert_shows_refusal(page, tiny_gateway, file)


def test_several_frames_and_half_a_file_are_refused(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    whole = as_dicom(radiographs.pneumonia)
    half = whole.with_name("half.dcm")
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    page.ask(tiny_gateway, half)
    assert_shows_refusal(page, tiny_gateway, half)
    frames = as_dicom(radiographs.pneumonia, "frames.dcm", NumberOfFrames="2")
    page.ask(tiny_gateway, frames)
    assert_shows_refusal(page, tiny_gateway, frames)
    assert page.part("problem-title").text == "The image cannot be decoded"


def assert_shows_refusal(page: Page, gateway: Gateway, file: Path) -> None:
    """Check that the page gives the reason that the API gives, and nothing besides."""
    problem = gateway.refusal(file)
    assert problem["status"] == 422
    assert page.part("problem-title").text == problem["title"]
    assert page.part("problem-detail").text == problem["detail"]
    assert not page.part("result").is_displayed()
    assert page.driver.find_elements(By.CSS_SELECTOR, "main img") == []
