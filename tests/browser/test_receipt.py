"""The receipt on the page, held against the answer and against digests of the file that are computed here."""

import hashlib
import hmac
import json
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Gateway, Page, Radiographs, StartGateway, ask_for, assert_quiet

KEY = "a key of this site alone"


def terms(page: Page) -> dict[str, str]:
    """What the receipt says once it is open, by name."""
    lines = page.part("receipt-terms").text.split("\n")
    return dict(zip(lines[::2], lines[1::2], strict=True))


def test_the_receipt_names_model_service_and_the_file_by_its_first_digits(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    version = tiny_gateway.explain(radiographs.pneumonia)["receipt"]["service_version"]
    digest = hashlib.sha256(radiographs.pneumonia.read_bytes()).hexdigest()
    short = f"Receipt: classifier 1, service {version}, file {digest[:12]}\N{HORIZONTAL ELLIPSIS}"
    assert page.part("receipt-short").text == short
    assert not page.part("receipt-terms").is_displayed()
    assert_quiet(page, tiny_gateway)


def test_the_receipt_opens_to_whole_digests_and_every_model_that_took_part(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia, "gradient")
    page.part("receipt-short").click()
    receipt = tiny_gateway.explain(radiographs.pneumonia, "gradient")["receipt"]
    models = [receipt["model"], *receipt["other_models"]]
    assert {model["name"] for model in models} == {"classifier", "lung_segmenter", "pixel_importance"}
    assert terms(page) == {
        "File, SHA-256 without a key": hashlib.sha256(radiographs.pneumonia.read_bytes()).hexdigest(),
        **{f"Model {each['name']}, version 1, SHA-256 of its file": each["sha256"] for each in models},
        "Service version": receipt["service_version"],
    }


def test_a_keyed_receipt_says_so(
    page: Page, start_gateway: StartGateway, tiny_repository: Path, radiographs: Radiographs
) -> None:
    gateway = start_gateway(CXR_MODEL_REPOSITORY=str(tiny_repository), CXR_RECEIPT_KEY=KEY)
    page.ask(gateway, radiographs.pneumonia)
    digest = hmac.new(KEY.encode(), radiographs.pneumonia.read_bytes(), "sha256").hexdigest()
    assert page.part("receipt-short").text.endswith(f", file {digest[:12]}\N{HORIZONTAL ELLIPSIS} (keyed)")
    page.part("receipt-short").click()
    said = terms(page)
    assert said["File, HMAC-SHA256 under this site's key"] == digest
    # The gateway's default methods are those that the page proposes, but the page names them: the same receipt.
    answer = gateway.explain(radiographs.pneumonia, "silhouette", "gradient")
    assert said["Receipt, HMAC-SHA256 under this site's key"] == answer["receipt"]["mac"]


def test_the_receipt_opens_with_the_keyboard(page: Page, tiny_gateway: Gateway, radiographs: Radiographs) -> None:
    page.ask(tiny_gateway, radiographs.pneumonia)
    assert page.press(Keys.TAB) == page.part("receipt-short")
    page.press(Keys.ENTER)
    assert page.part("receipt-terms").is_displayed()


def test_a_model_file_without_a_published_digest_is_said_to_have_none(
    page: Page, tiny_gateway: Gateway, radiographs: Radiographs
) -> None:
    answer = tiny_gateway.explain(radiographs.pneumonia)
    answer["receipt"]["model"]["sha256"] = None
    ask_for(page, tiny_gateway, radiographs.pneumonia, 200, json.dumps(answer))
    page.part("receipt-short").click()
    assert terms(page)["Model classifier, version 1, SHA-256 of its file"] == "not published"
