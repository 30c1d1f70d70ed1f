"""The Dockerfiles and the compose file, held against the code and the paths they name.

No container engine is needed: the files are parsed, and every value they repeat is compared with its source.
"""

import json
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings, UnknownSetting, read_settings

ROOT = Path(__file__).parents[2]
GATEWAY = "docker/gateway.Dockerfile"
TRITON = "docker/triton.Dockerfile"
ORTHANC = "docker/orthanc.Dockerfile"
DOCKERFILES = [GATEWAY, TRITON, ORTHANC]
TRITON_PORTS = {8000, 8001, 8002}
TRITON_GRPC_PORT = 8001
ORTHANC_PORTS = {8042, 4242}
# Fixed by the images and the compose file, so that nobody hands them on from outside.
FIXED_SETTINGS = {"CXR_HOST", "CXR_PORT", "CXR_BACKEND", "CXR_TRITON_URL"}
# Meaningless beside Triton, which brings its own copy of the models.
UNUSED_SETTINGS = {"CXR_MODEL_REPOSITORY"}
# Handed on even while they are not built, so that the gateway can refuse them: ignored, they would protect nobody.
PROTECTIONS = {"CXR_API_KEYS", "CXR_RECEIPT_KEY"}

Service = dict[str, Any]


@cache
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def services() -> dict[str, Service]:
    found: dict[str, Service] = compose()["services"]
    return found


SERVICES = sorted(services())


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return (keyword, arguments) of each instruction, comments dropped and continued lines joined."""
    lines = [line for line in (ROOT / dockerfile).read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(keyword.upper(), arguments) for keyword, arguments in pairs]


def last_stage(dockerfile: str) -> list[tuple[str, str]]:
    found = instructions(dockerfile)
    start = max(i for i, (keyword, _) in enumerate(found) if keyword == "FROM")
    return found[start:]


def arguments_of(keyword: str, found: list[tuple[str, str]]) -> list[str]:
    return [arguments for name, arguments in found if name == keyword]


def only(keyword: str, dockerfile: str) -> str:
    """Return the arguments of the one such instruction in the stage that is shipped."""
    (arguments,) = arguments_of(keyword, last_stage(dockerfile))
    return arguments


def copied(dockerfile: str) -> dict[str, str]:
    """Return source -> destination of everything copied from the build context."""
    copies = [shlex.split(a) for a in arguments_of("COPY", instructions(dockerfile)) if "--from=" not in a]
    return {source: words[-1] for words in copies for source in words[:-1]}


def environment_of_image(dockerfile: str) -> dict[str, str]:
    words = [word for a in arguments_of("ENV", last_stage(dockerfile)) for word in shlex.split(a)]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def exposed_ports(dockerfile: str) -> set[int]:
    return {int(port) for port in only("EXPOSE", dockerfile).split()}


def exec_form(arguments: str) -> list[str]:
    words: list[str] = yaml.safe_load(arguments[arguments.index("[") :])
    return words


def options(words: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in words if word.startswith("--"))}


def dockerfile_of(service: Service) -> str:
    name: str = service["build"]["dockerfile"]
    return name


def environment_of_gateway() -> dict[str, str | None]:
    environment: dict[str, str | None] = services()["gateway"]["environment"]
    return environment


def setting_names() -> set[str]:
    return {f"CXR_{name.upper()}" for name in Settings.model_fields}


def networks_of(name: str) -> set[str]:
    return set(services()[name]["networks"])


def default_profiles() -> set[str]:
    """Return the profiles of a plain `docker compose up`: those that the committed .env names."""
    lines = [line for line in (ROOT / ".env").read_text().splitlines() if line and not line.startswith("#")]
    values = dict(line.split("=", maxsplit=1) for line in lines)
    assert set(values) == {"COMPOSE_PROFILES"}, "the committed .env holds no setting of the gateway"
    return set(values["COMPOSE_PROFILES"].split(","))


def started(profiles: set[str]) -> set[str]:
    """Return the services that Compose starts: those without a profile and those with an active one."""
    return {
        name
        for name, service in services().items()
        if not service.get("profiles") or profiles & set(service["profiles"])
    }


def gpus_of(name: str) -> list[dict[str, Any]]:
    reservations = services()[name].get("deploy", {}).get("resources", {}).get("reservations", {})
    devices: list[dict[str, Any]] = reservations.get("devices", [])
    return devices


def project_version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


# Paths


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_every_copied_path_exists(dockerfile: str) -> None:
    assert [source for source in copied(dockerfile) if not (ROOT / source).exists()] == []


def test_the_build_context_holds_what_the_dockerfiles_copy_and_nothing_else() -> None:
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r and not r.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == {path for dockerfile in DOCKERFILES for path in copied(dockerfile)}


@pytest.mark.parametrize("name", SERVICES)
def test_every_built_and_mounted_path_exists(name: str) -> None:
    service = services()[name]
    mounts = [volume.split(":")[0] for volume in service.get("volumes", [])]
    paths = [service["build"]["context"], dockerfile_of(service), *(m for m in mounts if m.startswith("."))]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_triton_serves_the_models_copied_into_its_image() -> None:
    assert options(exec_form(only("CMD", TRITON)))["--model-repository"] == copied(TRITON)["model_repository"]


# Ports


def test_the_gateway_image_exposes_the_port_it_listens_on() -> None:
    default = Settings.model_fields["port"].default
    assert exposed_ports(GATEWAY) == {default} == {int(environment_of_image(GATEWAY)["CXR_PORT"])}


def test_the_triton_image_exposes_the_ports_it_listens_on() -> None:
    flags = options(exec_form(only("CMD", TRITON)))
    listening = {int(flags[name]) for name in ("--http-port", "--grpc-port", "--metrics-port")}
    assert exposed_ports(TRITON) == listening == TRITON_PORTS


@pytest.mark.parametrize(
    ("dockerfile", "url"), [(GATEWAY, "127.0.0.1:8080/healthz"), (TRITON, "127.0.0.1:8000/v2/health/ready")]
)
def test_health_checks_ask_a_port_that_the_image_listens_on(dockerfile: str, url: str) -> None:
    command = " ".join(exec_form(only("HEALTHCHECK", dockerfile)))
    match = re.search(r"http://(\S+?:(\d+)/[\w/]+)", command)
    assert match is not None
    assert match[1] == url
    assert int(match[2]) in exposed_ports(dockerfile)


def test_only_the_gateway_and_orthanc_are_published_and_on_loopback_alone() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {
        "gateway": ["127.0.0.1:8080:8080"],
        "orthanc": ["127.0.0.1:8042:8042", "127.0.0.1:4242:4242"],
    }
    for name, ports in published.items():
        assert {int(port.rpartition(":")[2]) for port in ports} == exposed_ports(dockerfile_of(services()[name]))


def test_the_orthanc_image_exposes_the_ports_it_listens_on_and_checks_one() -> None:
    configuration = json.loads((ROOT / "docker/orthanc/orthanc.json").read_text())
    assert exposed_ports(ORTHANC) == {configuration["HttpPort"], configuration["DicomPort"]} == ORTHANC_PORTS
    checked = re.search(r"/dev/tcp/127\.0\.0\.1/(\d+)", only("HEALTHCHECK", ORTHANC))
    assert checked is not None
    assert int(checked[1]) == configuration["HttpPort"]


# Settings


def handed_on() -> set[str]:
    return {name for name, value in environment_of_gateway().items() if value is None}


def test_every_setting_is_fixed_or_handed_on() -> None:
    assert handed_on() == (setting_names() | PROTECTIONS) - FIXED_SETTINGS - UNUSED_SETTINGS


def test_every_fixed_setting_exists() -> None:
    named = {n for n in environment_of_gateway() | environment_of_image(GATEWAY) if n.startswith("CXR_")}
    assert named - handed_on() == FIXED_SETTINGS
    assert setting_names() >= FIXED_SETTINGS


def test_a_protection_that_is_not_built_stops_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in handed_on() - setting_names():
        monkeypatch.setenv(name, "anything")
        with pytest.raises(UnknownSetting, match=f"{name}: .*not built yet"):
            read_settings()
        monkeypatch.delenv(name)


def test_the_gateway_accepts_the_settings_of_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = {n: v for n, v in environment_of_gateway().items() if v is not None}
    for name, value in (environment_of_image(GATEWAY) | fixed).items():
        if name.startswith("CXR_"):
            monkeypatch.setenv(name, value)
    settings = read_settings()
    assert (settings.host, settings.port, settings.backend) == ("0.0.0.0", 8080, "triton")
    assert settings.triton_url == ("triton:8001",)


def test_requests_under_way_finish_before_a_container_is_killed() -> None:
    grace = {name: int(service["stop_grace_period"].removesuffix("s")) for name, service in services().items()}
    exit_timeout = int(options(exec_form(only("CMD", TRITON)))["--exit-timeout-secs"])
    assert grace["gateway"] > Settings.model_fields["request_timeout_s"].default
    assert min(grace["triton-gpu"], grace["triton-cpu"]) > exit_timeout


# Profiles


@pytest.mark.parametrize(
    ("profiles", "triton"), [(None, "triton-gpu"), ({"gpu"}, "triton-gpu"), ({"cpu"}, "triton-cpu")]
)
def test_each_profile_starts_the_gateway_and_one_triton(profiles: set[str] | None, triton: str) -> None:
    assert started(profiles or default_profiles()) == {"gateway", triton}
    assert started({"pacs", *(profiles or default_profiles())}) == {"gateway", triton, "orthanc"}


def test_the_gpu_profile_alone_reserves_a_gpu() -> None:
    assert gpus_of("triton-gpu") == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert gpus_of("triton-cpu") == gpus_of("gateway") == gpus_of("orthanc") == []


def test_both_tritons_differ_in_nothing_but_the_gpu() -> None:
    rest = [
        {key: value for key, value in services()[name].items() if key not in {"profiles", "deploy"}}
        for name in ("triton-gpu", "triton-cpu")
    ]
    assert rest[0] == rest[1]


@pytest.mark.parametrize("name", ["triton-gpu", "triton-cpu"])
def test_the_gateway_reaches_whichever_triton_runs(name: str) -> None:
    host, _, port = str(environment_of_gateway()["CXR_TRITON_URL"]).partition(":")
    (network,) = networks_of(name) & networks_of("gateway")
    assert host in services()[name]["networks"][network]["aliases"]
    assert int(port) == TRITON_GRPC_PORT


def test_the_gateway_waits_for_a_healthy_triton_without_requiring_the_other() -> None:
    optional = {"condition": "service_healthy", "required": False}
    assert services()["gateway"]["depends_on"] == {"triton-gpu": optional, "triton-cpu": optional}


def test_the_model_server_has_no_way_out() -> None:
    assert networks_of("triton-gpu") == {"models"}
    assert compose()["networks"]["models"] == {"internal": True}


# Orthanc


def test_orthanc_finds_the_gateway_on_a_network_that_both_share() -> None:
    port = int(environment_of_image(GATEWAY)["CXR_PORT"])
    assert services()["orthanc"]["environment"]["GATEWAY_URL"] == f"http://gateway:{port}"
    assert "default" in networks_of("orthanc") & networks_of("gateway")


def test_orthanc_has_no_way_to_the_model_server() -> None:
    assert networks_of("orthanc") & networks_of("triton-gpu") == set()


def test_orthanc_is_given_variables_that_its_files_read_and_no_password_of_ours() -> None:
    files = "".join(file.read_text() for file in (ROOT / "docker/orthanc").iterdir())
    environment = services()["orthanc"]["environment"]
    assert [name for name in {*environment, *environment_of_image(ORTHANC)} if name not in files] == []
    assert {name for name, value in environment.items() if value is None} >= {"ORTHANC_USER", "ORTHANC_PASSWORD"}


def test_orthanc_keeps_studies_in_a_volume_that_its_user_owns() -> None:
    configuration = json.loads((ROOT / "docker/orthanc/orthanc.json").read_text())
    folder = configuration["StorageDirectory"].partition(":-")[2].removesuffix("}")
    assert configuration["IndexDirectory"] == configuration["StorageDirectory"]
    assert services()["orthanc"]["volumes"] == [f"orthanc:{folder}"]
    assert set(compose()["volumes"]) == {"orthanc"}
    uid, gid = only("USER", ORTHANC).split(":")
    assert f"install --directory --owner={uid} --group={gid} {folder}" in only("RUN", ORTHANC)


def test_orthanc_starts_with_the_configuration_that_was_copied() -> None:
    folder = copied(ORTHANC)["docker/orthanc"]
    assert exec_form(only("CMD", ORTHANC)) == [f"{folder}/orthanc.json"]


# Images


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_base_images_are_pinned_to_a_release(dockerfile: str) -> None:
    images = [arguments.split()[0] for arguments in arguments_of("FROM", instructions(dockerfile))]
    assert len(set(images)) == 1
    pinned = (
        r"python:3\.12\.\d+-slim-bookworm",
        r"nvcr\.io/nvidia/tritonserver:\d\d\.\d\d-py3",
        r"jodogne/orthanc-plugins:\d+\.\d+\.\d+",
    )
    assert re.fullmatch("|".join(pinned), images[0])


@pytest.mark.parametrize("name", SERVICES)
def test_images_carry_the_version_of_the_project(name: str) -> None:
    service = services()[name]
    assert service["image"].rpartition(":")[2] == project_version()
    labels = " ".join(arguments_of("LABEL", last_stage(dockerfile_of(service))))
    assert f'org.opencontainers.image.version="{project_version()}"' in labels


@pytest.mark.parametrize(
    ("dockerfile", "user"), [(GATEWAY, "10001:10001"), (TRITON, "1000:1000"), (ORTHANC, "10002:10002")]
)
def test_images_run_as_a_fixed_user_that_is_not_root(dockerfile: str, user: str) -> None:
    assert only("USER", dockerfile) == user


def test_the_gateway_image_installs_the_pinned_base_dependencies() -> None:
    (install,) = [run for run in arguments_of("RUN", instructions(GATEWAY)) if "pip install" in run]
    words = shlex.split(install)
    assert words[words.index("--constraint") + 1] == "constraints.txt"
    assert words[-1] == ".", "an extra would bring ONNX Runtime or TensorFlow"


def test_triton_loads_its_models_once_and_caches_no_answer() -> None:
    command = exec_form(only("CMD", TRITON))
    flags = options(command)
    assert command[0] == "tritonserver"
    assert (flags["--model-control-mode"], flags["--strict-readiness"]) == ("none", "true")
    assert [name for name in flags if "cache" in name] == []


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_more_rights_than_they_need(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert {"privileged", "cap_add", "user", "network_mode", "pid", "devices"} & set(service) == set()
