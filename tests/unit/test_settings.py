"""Settings: what is out of range, misspelt or not built yet stops the gateway."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.__main__ import main
from api.settings import Settings, UnknownSetting, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"CXR_{field.upper()}", raising=False)


def test_defaults_need_nothing() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.backend) == ("127.0.0.1", 8080, "embedded")
    assert settings.max_upload_bytes == 32 * 2**20
    assert settings.max_pixels == 50_000_000
    assert settings.request_timeout_s == 30


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_BACKEND", "triton")
    monkeypatch.setenv("CXR_TRITON_URL", "a:8001, b:9001")
    monkeypatch.setenv("CXR_PORT", "9000")
    settings = read_settings()
    assert settings.triton_url == ("a:8001", "b:9001")
    assert settings.port == 9000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CXR_PORT", "70000"),
        ("CXR_BACKEND", "gpu"),
        ("CXR_BACKEND", "triton"),
        ("CXR_TRITON_URL", "a:8001"),
        ("CXR_MAX_PIXELS", "0"),
        ("CXR_REQUEST_TIMEOUT_S", "0"),
        ("CXR_LOG_LEVEL", "loud"),
        ("CXR_QUALITY_GATE", "maybe"),
        ("CXR_PREVALENCE", "0"),
        ("CXR_PREVALENCE", "1"),
        ("CXR_PREVALENCE", "5%"),
        ("CXR_PREVALENCE", "nan"),
        ("CXR_DECISION_THRESHOLD", "0"),
        ("CXR_DECISION_THRESHOLD", "1"),
        ("CXR_DECISION_THRESHOLD", "-0.5"),
    ],
)
def test_values_out_of_range_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        read_settings()


def test_the_gate_is_on_and_a_site_decides_nothing_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CXR_QUALITY_GATE", "CXR_PREVALENCE", "CXR_DECISION_THRESHOLD"):
        monkeypatch.setenv(name, "")  # as Compose hands on what is not set
    settings = read_settings()
    assert (settings.quality_gate, settings.prevalence, settings.decision_threshold) == ("on", None, None)


def test_a_site_sets_gate_prevalence_and_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_QUALITY_GATE", "off")
    monkeypatch.setenv("CXR_PREVALENCE", "0.05")
    monkeypatch.setenv("CXR_DECISION_THRESHOLD", "0.3")
    settings = read_settings()
    assert (settings.quality_gate, settings.prevalence, settings.decision_threshold) == ("off", 0.05, 0.3)


@pytest.mark.parametrize("url", ["http://a:8001", "grpc://a:8001", "a", ":8001", "a:x"])
def test_addresses_of_triton_take_no_scheme(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CXR_BACKEND", "triton")
    monkeypatch.setenv("CXR_TRITON_URL", url)
    with pytest.raises(ValidationError, match="host:port"):
        read_settings()


@pytest.mark.parametrize("name", ["CXR_API_KEYS", "cxr_api_keys"])
def test_what_is_not_built_yet_is_refused_and_not_ignored(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    read_settings()
    monkeypatch.setenv(name, "x")
    with pytest.raises(UnknownSetting, match="not built yet"):
        read_settings()


def test_receipts_are_made_without_a_key_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().receipt_key is None
    monkeypatch.setenv("CXR_RECEIPT_KEY", "")  # as Compose hands on what is not set
    assert read_settings().receipt_key is None


def test_a_receipt_key_of_16_characters_is_taken_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "abcdefgh ijklmné"
    monkeypatch.setenv("CXR_RECEIPT_KEY", key)
    settings = read_settings()
    assert settings.receipt_key is not None
    assert settings.receipt_key.get_secret_value() == key
    assert key not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_a_short_receipt_key_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXR_RECEIPT_KEY", "tooshortbyone15")
    with pytest.raises(ValidationError) as refused:
        read_settings()
    assert main() == 2
    told = capsys.readouterr().err
    assert told == (
        "The gateway does not start: CXR_RECEIPT_KEY: must have at least 16 characters, better 64. Received: 15\n"
    )
    assert "tooshort" not in f"{refused.value} {refused.value!r} {told}"


def test_no_message_repeats_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_PORT", "pasted-secret")
    with pytest.raises(ValidationError) as refused:
        read_settings()
    assert "pasted-secret" not in str(refused.value)


def test_a_misspelt_name_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_MAX_PIXEL", "5")
    with pytest.raises(UnknownSetting, match="CXR_MAX_PIXELS"):
        read_settings()


@pytest.mark.parametrize("name", ["CXR_EXPLAIN_SERVICE_HOST", "CXR_EXPLAIN_PORT", "CXR_EXPLAIN_PORT_8080_TCP_ADDR"])
def test_variables_that_kubernetes_makes_of_a_service_are_let_pass(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8080")
    read_settings()


def test_the_embedded_backend_needs_a_folder_of_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXR_MODEL_REPOSITORY", str(tmp_path / "nothing"))
    with pytest.raises(ValidationError, match="CXR_MODEL_REPOSITORY"):
        read_settings()


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    text = (Path(__file__).parents[2] / ".env.example").read_text()
    listed = dict(re.findall(r"^#? ?(CXR_[A-Z_]+)=(.*)$", text, re.MULTILINE))
    fields = {f"CXR_{name.upper()}" for name in Settings.model_fields}
    assert fields <= set(listed)
    assert set(listed) - fields == {"CXR_API_KEYS"}
    names = ("host", "port", "backend", "max_upload_bytes", "max_pixels", "log_level", "max_in_flight", "quality_gate")
    for name in names:
        assert listed[f"CXR_{name.upper()}"] == str(Settings.model_fields[name].default)
