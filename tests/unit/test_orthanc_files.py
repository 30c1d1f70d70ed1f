"""What Orthanc's configuration and scripts repeat of the gateway, held against it; tests/integration runs them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.acquisition import read_tags
from api.errors import UnsupportedView
from api.settings import Settings
from api.types import Acquisition

FOLDER = Path(__file__).parents[2] / "docker" / "orthanc"
TABLES = {"frontal_chest.lua": "FrontalChest", "gateway.lua": "Gateway", "radiograph_queue.lua": "RadiographQueue"}
CONFIGURATION: dict[str, Any] = json.loads((FOLDER / "orthanc.json").read_text())


def words(name: str) -> list[str]:
    """Return the words of a set in frontal_chest.lua."""
    found = re.search(
        rf"local {name} = set\((?:'|\[\[)(.*?)(?:'|\]\])\)", (FOLDER / "frontal_chest.lua").read_text(), re.S
    )
    assert found is not None
    return found[1].split()


@pytest.mark.parametrize("word", words("NOT_FRONTAL"))
def test_no_view_is_held_back_that_the_gateway_would_explain(word: str) -> None:
    assert isinstance(read_tags(Acquisition(modality="DX", view_position=word)).refusal, UnsupportedView)


@pytest.mark.parametrize("word", words("OTHER_BODY_PARTS"))
def test_no_body_part_is_held_back_that_the_gateway_would_explain(word: str) -> None:
    assert isinstance(read_tags(Acquisition(modality="DX", body_part=word)).refusal, UnsupportedView)


def test_radiographs_are_of_the_storage_classes_of_the_standard() -> None:
    """CR, and DX for presentation (PS3.4, section B.5); neither SC (...7) nor SR (...88.x), which answers are."""
    assert words("SOP_CLASSES") == ["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"]


def test_every_script_is_loaded_and_the_password_is_checked_first() -> None:
    scripts = CONFIGURATION["LuaScripts"]
    assert scripts[0] == "require_password.lua"
    assert set(scripts) == {file.name for file in FOLDER.glob("*.lua")}


def test_scripts_come_after_those_that_they_use() -> None:
    scripts = CONFIGURATION["LuaScripts"]
    for name, table in TABLES.items():
        assert f"\n{table} = {{}}" in (FOLDER / name).read_text()
        assert f"{table}." in (FOLDER / "explain_studies.lua").read_text()
        assert scripts.index(name) < scripts.index("explain_studies.lua")


def test_the_metadata_is_named_as_the_script_names_it() -> None:
    match = re.search(r"local NAME, NUMBER = '(.+)', '(\d+)'", (FOLDER / "explain_studies.lua").read_text())
    assert match is not None
    assert CONFIGURATION["UserMetadata"] == {match[1]: int(match[2])}
    assert 1024 <= int(match[2]) <= 65535, "what Orthanc leaves to its users"


def test_orthanc_waits_longer_than_the_gateway_takes() -> None:
    assert CONFIGURATION["HttpTimeout"] > Settings.model_fields["request_timeout_s"].default


def test_who_asks_from_afar_needs_a_password_and_there_is_none_by_default() -> None:
    assert CONFIGURATION["AuthenticationEnabled"] is True
    assert CONFIGURATION["RegisteredUsers"] == {"${ORTHANC_USER:-cxr}": "${ORTHANC_PASSWORD}"}
    assert CONFIGURATION["ExecuteLuaEnabled"] is False
