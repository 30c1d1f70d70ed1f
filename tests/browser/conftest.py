"""A real gateway in a process of its own, and a real Chromium that looks at its page."""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 30

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# Without these, Chromium asks hosts of its own for updates.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)

METHODS = ("silhouette", "gradient", "saliency", "grad_cam", "grad_cam_plus_plus", "occlusion", "layers")

_CAPTIONS = ":is(#original, #pictures) figcaption"

# What the browser has decoded of an image element, as a lossless PNG.
_REDRAW_SCRIPT = """
const [image, done] = arguments;
image.decode().then(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  done(canvas.toDataURL("image/png").split(",")[1]);
});
"""


class Gateway:
    """A gateway that runs as `python -m api`."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._process = process

    def explain(self, file: Path, *methods: str, **options: str) -> dict[str, Any]:
        """Ask what the page asks, without the page."""
        headers = {"Content-Type": "application/octet-stream"}
        query = urlencode({**({"methods": ",".join(methods)} if methods else {}), **options})
        request = urllib.request.Request(f"{self.url}/v1/explain?{query}", file.read_bytes(), headers)
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def refusal(self, file: Path) -> dict[str, Any]:
        """Ask the same of a file that is to be refused, and return the problem."""
        with pytest.raises(urllib.error.HTTPError) as refused:
            self.explain(file)
        with refused.value as response:
            problem: dict[str, Any] = json.load(response)
        return problem

    def wait_for(self, path: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(path):
            assert self._process.poll() is None, "the gateway must keep running"
            assert time.monotonic() < deadline, f"{path} must answer within {START_TIMEOUT_S} s"
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False


StartGateway = Callable[..., Gateway]


@contextmanager
def _running_gateway(log: Path, until: str, settings: dict[str, str]) -> Iterator[Gateway]:
    port = _free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CXR_")}
    environment = {**inherited, "CXR_PORT": str(port), **settings}
    command = [sys.executable, "-m", "api"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    gateway = Gateway(f"http://127.0.0.1:{port}", process)
    try:
        gateway.wait_for(until)
        yield gateway
    finally:
        print(log.read_text())
        gateway.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Start gateways with given settings; each is stopped after the last test."""
    with ExitStack() as running:

        def start(until: str = "/readyz", **settings: str) -> Gateway:
            log = tmp_path_factory.mktemp("gateway") / "log"
            return running.enter_context(_running_gateway(log, until, settings))

        yield start


@pytest.fixture(scope="session")
def tiny_gateway(start_gateway: StartGateway, tiny_repository: Path) -> Gateway:
    return start_gateway(CXR_MODEL_REPOSITORY=str(tiny_repository))


@pytest.fixture(scope="session")
def shipped_gateway(start_gateway: StartGateway, shipped_repository: Path) -> Gateway:
    return start_gateway(CXR_MODEL_REPOSITORY=str(shipped_repository))


@dataclass(frozen=True, slots=True)
class Page:
    """The page in a browser, as a user sees it."""

    driver: Chrome

    def open(self, gateway: Gateway, path: str = "/") -> None:
        self.driver.get(gateway.url + path)

    def choose(self, file: Path) -> None:
        self.part("file").send_keys(str(file))

    def method_boxes(self) -> dict[str, WebElement]:
        """The checkboxes of the explanations, by method."""
        boxes = self.part("methods").find_elements(By.TAG_NAME, "input")
        return {str(box.get_attribute("value")): box for box in boxes}

    def choose_methods(self, *methods: str) -> None:
        for method, box in self.method_boxes().items():
            if box.is_selected() != (method in methods):
                box.click()

    def ask(self, gateway: Gateway, file: Path, *methods: str) -> None:
        """Open the page, send a file and wait for what comes of it; without methods, those that the page proposes."""
        self.open(gateway)
        if methods:
            self.choose_methods(*methods)
        self.send(file)

    def choose_options(self, regions: str = "", fill: str = "", lungs: bool = False) -> None:
        """Open the options and choose; what is not given stays as it is."""
        if not self.part("options").get_property("open"):
            self.part("options").find_element(By.TAG_NAME, "summary").click()
        for identifier, value in (("regions", regions), ("fill", fill)):
            if value:
                Select(self.part(identifier)).select_by_value(value)
        if lungs:
            self.part("lungs").click()

    def send(self, file: Path) -> None:
        """Send a file with the form as it is, and wait for what comes of it."""
        self.choose(file)
        self.part("submit").click()
        self.wait_for_outcome()

    def drop(self, *files: Path) -> None:
        """Drag files from outside the browser and drop them on the page, as the desktop would."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event: dict[str, object] = {"type": kind, "x": 300, "y": 300, "data": data}
            self.devtools("Input.dispatchDragEvent", event)

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)

    def devtools(self, command: str, parameters: dict[str, object]) -> None:
        self.driver.execute_cdp_cmd(command, parameters)

    def press(self, key: str) -> WebElement:
        """Press a key where the focus is, and return where the focus is then."""
        ActionChains(self.driver).send_keys(key).perform()
        return self.driver.switch_to.active_element

    def part(self, identifier: str) -> WebElement:
        return self.driver.find_element(By.ID, identifier)

    def text(self) -> str:
        """What is visible of the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def pictures(self) -> list[WebElement]:
        """The original and what the methods show, without the affected region."""
        images = self.driver.find_elements(By.CSS_SELECTOR, ":is(#original, #pictures) img")
        return [image for image in images if image.is_displayed()]

    def captions(self) -> list[str]:
        return [caption.text for caption in self.driver.find_elements(By.CSS_SELECTOR, _CAPTIONS)]

    def wait_for_outcome(self) -> None:
        self.wait_until(lambda: self.part("result").is_displayed() or self.part("problem").is_displayed())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        WebDriverWait(self.driver, ANSWER_TIMEOUT_S).until(lambda _: condition())

    def pixels_of(self, image: WebElement) -> NDArray[np.uint8]:
        """Pixels that the browser has decoded, ``[rows, columns, 4]``, RGBA."""
        redrawn = self.driver.execute_async_script(_REDRAW_SCRIPT, image)
        return decoded({"data": redrawn})

    def complaints(self) -> list[str]:
        """What the console says, errors and violations of the content security policy among it."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requested_hosts(self) -> set[str]:
        """Hosts and ports that anything was requested from."""
        return {urlsplit(url).netloc for url in self._requests() if urlsplit(url).scheme not in ("data", "blob")}

    def _requests(self) -> list[str]:
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not (shutil.which(CHROMIUM) and shutil.which(CHROMEDRIVER)):
        missing(f"Debian's packages chromium and chromium-driver must be installed. Received: no {CHROMIUM}")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = Chrome(options, ChromeService(str(CHROMEDRIVER)))
    driver.set_script_timeout(ANSWER_TIMEOUT_S)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(_chromium: Chrome) -> Page:
    """A page on which nothing has happened yet, with empty logs."""
    _chromium.get("about:blank")
    fresh = Page(_chromium)
    fresh.complaints()
    fresh.requested_hosts()
    return fresh


@dataclass(frozen=True, slots=True)
class Radiographs:
    """Images that the tiny model is sure of (`pneumonia`, `normal`) or unsure of (`indeterminate`)."""

    pneumonia: Path
    normal: Path
    indeterminate: Path


@pytest.fixture(scope="session")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> Radiographs:
    folder = tmp_path_factory.mktemp("radiographs")
    means = {"pneumonia": 150, "normal": 40, "indeterminate": 85}
    return Radiographs(**{name: _save(folder / f"{name}.png", mean) for name, mean in means.items()})


def _save(file: Path, mean: float) -> Path:
    """Write noise around a mean, a little brighter in the lower right, so that the answer is known."""
    pixels = np.random.default_rng(7).normal(mean, 4, (300, 400))
    pixels[150:, 200:] += 8
    pixels += mean - pixels.mean()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(file)
    return file


def decoded(picture: dict[str, Any]) -> NDArray[np.uint8]:
    """Pixels of a picture of the answer, ``[rows, columns, 4]``, RGBA."""
    with Image.open(io.BytesIO(base64.b64decode(picture["data"]))) as image:
        return np.asarray(image.convert("RGBA"))


def percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "under 0.1%"
    return "over 99.9%" if 0.9995 <= share < 1 else f"{share * 100:.1f}%"


def overlays(answer: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [answer["explanations"][method] for method in METHODS if method in answer["explanations"]]
    pictures = [
        [layer["montage"] for layer in block["layers"]] if "layers" in block else [block["overlay"]] for block in blocks
    ]
    return [picture for each in pictures for picture in each]


def assert_shows_explanations(page: Page, answer: dict[str, Any]) -> None:
    """Check that the pictures of the methods are the answer's, file by file and pixel by pixel."""
    shown = page.part("pictures").find_elements(By.TAG_NAME, "img")
    for image, overlay in zip(shown, overlays(answer), strict=True):
        assert image.get_attribute("src") == f"data:{overlay['media_type']};base64,{overlay['data']}"
        pixels = page.pixels_of(image)
        assert pixels.shape[:2] == (overlay["height"], overlay["width"])
        np.testing.assert_array_equal(pixels, decoded(overlay))


def assert_quiet(page: Page, gateway: Gateway) -> None:
    """Check that nothing went wrong unseen and that no other host was asked for anything."""
    assert page.complaints() == []
    assert page.requested_hosts() == {urlsplit(gateway.url).netloc}


def ask_for(page: Page, gateway: Gateway, file: Path, status: int, body: str) -> None:
    """Send a file, and let the page receive a given answer that this gateway would not give."""
    page.open(gateway)
    page.run("const [body, status] = arguments; window.fetch = async () => new Response(body, {status})", body, status)
    page.choose(file)
    page.part("submit").click()
    page.wait_for_outcome()
