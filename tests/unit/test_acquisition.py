"""The codes of views and regions are held against pydicom's own copy of the standard's tables."""

from dataclasses import replace
from typing import Any

import pytest
from pydicom.sr.codedict import codes

from api.acquisition import read_tags
from api.errors import NotAChestRadiograph, UnsupportedView
from api.types import Acquisition

PA = Acquisition(modality="DX", view_position="PA", body_part="CHEST")
CHEST = replace(PA, view_position="")


UNREADABLE = (("L",), ("R",), ("L", ""), ("", "F"), ("L", "F", "A"), ("X", "Y"), ("L", "P"), ("R", "L"), ("?",))


def view_code(name: str) -> str:
    """Look a view up in CID 4010, DX View."""
    return str(getattr(codes.cid4010, name).value)


def region_code(name: str) -> str:
    """Look a region up in CID 4031, Common Anatomic Regions."""
    return str(getattr(codes.cid4031, name).value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"modality": "CR"},
        {"modality": "RG"},
        {"modality": "dx", "body_part": "Chest"},
        {"view_position": "AP"},
        {"view_position": " pa"},
        {"view_position": "AP SUPINE"},
        {"view_position": "P-A"},
        {"view_position": "Postero-Anterior"},
        {"body_part": "CHEST_ABDOMEN"},
        {"body_part": "PORT CHEST"},
        {"view_position": "", "view_codes": (view_code("PosteroAnterior"),)},
        {"view_position": "", "view_codes": (view_code("AnteroPosterior"),)},
        {"body_part": "THORAX"},
        {"body_part": "LUNGS"},
        {"body_part": "", "region_codes": (region_code("Chest"),)},
        {"patient_orientation": ("L", "F")},
        {"patient_orientation": ("LF", "FR")},
        {"patient_orientation": ()},
        {"patient_orientation": ("", "")},
        {"burned_in_annotation": "NO", "presentation_intent": "FOR PRESENTATION"},
    ],
    ids=str,
)
def test_a_frontal_view_of_a_chest_gives_no_warning(changes: dict[str, Any]) -> None:
    tagged = read_tags(replace(PA, **changes))
    assert tagged.warnings == ()
    assert tagged.refusal is None


def test_tags_that_say_nothing_are_warnings() -> None:
    tagged = read_tags(Acquisition())
    assert tagged.warnings == ("modality_unknown", "body_part_unknown", "view_unknown")
    assert tagged.refusal is None


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"modality": "OT"}, "modality_unknown"),
        ({"modality": "SC"}, "modality_unknown"),
        ({"modality": "DR"}, "modality_unknown"),
        ({"modality": "RF"}, "modality_unknown"),
        ({"patient_orientation": ("PA",)}, "orientation_unknown"),
        ({"body_part": "", "region_codes": (region_code("ApexOfLung"),)}, "body_part_unknown"),
        ({"body_part": "", "region_codes": (region_code("Rib"),)}, "body_part_unknown"),
        ({"body_part": "SOMETHING"}, "body_part_unknown"),
        ({"body_part": "", "region_codes": ("12345",)}, "body_part_unknown"),
        ({"view_position": "STANDING"}, "view_unknown"),
        ({"view_position": "", "view_codes": ("12345",)}, "view_unknown"),
        ({"patient_orientation": ("R", "F")}, "mirrored"),
        ({"patient_orientation": ("R", "H")}, "rotated"),
        ({"patient_orientation": ("L", "H")}, "rotated"),
        ({"patient_orientation": ("F", "R")}, "rotated"),
        ({"patient_orientation": ("H", "L")}, "rotated"),
        ({"patient_orientation": ("R", "F", "A")}, "mirrored"),
        ({"patient_orientation": ("F",)}, "rotated"),
        ({"patient_orientation": ("", "H")}, "rotated"),
        *(({"patient_orientation": each}, "orientation_unknown") for each in UNREADABLE),
        ({"burned_in_annotation": "YES"}, "burned_in_annotation"),
        ({"presentation_intent": "FOR PROCESSING"}, "for_processing"),
    ],
    ids=str,
)
def test_what_is_unclear_or_unusual_is_one_warning(changes: dict[str, Any], warning: str) -> None:
    tagged = read_tags(replace(PA, **changes))
    assert tagged.warnings == (warning,)
    assert tagged.refusal is None


@pytest.mark.parametrize("modality", ["CT", "MR", "US", "MG", "XA", "PX", "IO", "NM", "PT", "SR", "SEG", "ECG"])
def test_another_modality_is_no_chest_radiograph(modality: str) -> None:
    tagged = read_tags(replace(PA, modality=modality))
    assert tagged.warnings == ("not_a_radiograph",)
    assert isinstance(tagged.refusal, NotAChestRadiograph)


@pytest.mark.parametrize(
    "position", ["LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAT", "Lateral", "LEFT LATERAL", "PA LLD", "RAO", "OBLIQUE"]
)
def test_a_view_position_that_is_not_frontal_is_refused(position: str) -> None:
    assert_refused(replace(CHEST, view_position=position), "lateral")


@pytest.mark.parametrize(
    "view",
    [
        "LateralProjection",
        "LeftLateral",
        "RightLateral",
        "ObliqueProjection",
        "LeftOblique",
        "RightOblique",
        "LeftAnteriorOblique",
        "RightAnteriorOblique",
        "LeftPosteriorOblique",
        "RightPosteriorOblique",
        "AnteroPosteriorOblique",
        "PosteroAnteriorOblique",
    ],
)
def test_a_view_code_that_is_not_frontal_is_refused(view: str) -> None:
    assert_refused(replace(CHEST, view_codes=(view_code(view),)), "lateral")


@pytest.mark.parametrize("code", ["R-102CD", "R-10232", "R-10236"], ids=["lateral", "right lateral", "left lateral"])
def test_the_codes_of_older_objects_are_known(code: str) -> None:
    assert_refused(replace(CHEST, view_codes=(code,)), "lateral")


@pytest.mark.parametrize(
    "orientation", [("A", "F"), ("P", "F"), ("AL", "F"), ("a", "f"), ("P", "F", "R"), ("A", "F", "L")], ids="/".join
)
def test_rows_that_run_to_the_front_or_back_are_a_lateral_view(orientation: tuple[str, ...]) -> None:
    assert_refused(replace(CHEST, patient_orientation=orientation), "lateral")


def test_a_statement_against_the_view_outweighs_one_for_it() -> None:
    assert_refused(replace(PA, view_codes=(view_code("LeftLateral"),)), "lateral")
    assert_refused(replace(PA, patient_orientation=("A", "F")), "lateral")


@pytest.mark.parametrize(
    "body_part",
    [
        "KNEE",
        "KNEE L",
        "HAND_R",
        "HIPS",
        "SKULL PA",
        "ABDOMEN",
        "LSPINE",
        "L-SPINE",
        "Pelvis",
        "BREAST",
        "THORACIC SPINE",
    ],
)
def test_another_body_part_is_refused(body_part: str) -> None:
    assert_refused(replace(PA, body_part=body_part), "other_body_part")


KNEE, KNEE_IN_SNOMED_RT = "72696002", "T-D9200"


def test_another_region_is_refused_where_the_body_part_is_not_told() -> None:
    assert_refused(replace(PA, body_part="", region_codes=(KNEE,)), "other_body_part")
    assert_refused(replace(PA, body_part="", region_codes=(KNEE_IN_SNOMED_RT,)), "other_body_part")
    assert read_tags(replace(PA, region_codes=(KNEE,))).warnings == ()
    assert read_tags(replace(PA, body_part="", region_codes=(KNEE, region_code("Chest")))).warnings == ()


def test_all_that_is_wrong_is_told_and_the_first_refuses() -> None:
    tagged = read_tags(Acquisition("CT", "LL", body_part="HAND", burned_in_annotation="YES"))
    assert tagged.warnings == ("not_a_radiograph", "other_body_part", "lateral", "burned_in_annotation")
    assert isinstance(tagged.refusal, NotAChestRadiograph)


@pytest.mark.parametrize(("field", "value"), [("modality", "DOE"), ("view_position", "LAT DOE"), ("body_part", "KNEE")])
def test_refusals_do_not_repeat_what_the_tags_hold(field: str, value: str) -> None:
    """They may hold anything, a name included."""
    changes: dict[str, Any] = {field: value}
    refusal = read_tags(replace(PA, **changes)).refusal
    assert refusal is not None
    assert value not in str(refusal)
    assert "Send " in str(refusal)


def assert_refused(acquisition: Acquisition, warning: str) -> None:
    tagged = read_tags(acquisition)
    assert tagged.warnings == (warning,)
    assert isinstance(tagged.refusal, UnsupportedView)
