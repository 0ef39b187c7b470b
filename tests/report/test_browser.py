"""The page in headless Chromium: no error in the console, every part there, nothing loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import Report, change
from tests.report.test_page import HOSTILE

webdriver = pytest.importorskip("selenium.webdriver", exc_type=ImportError)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="Chromium and its driver are not installed"
)
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
Browser = Any  # selenium's own types are not worth an import here

# The least contrast of a text with what is behind it, by the formula of WCAG 2, and that text.
CONTRAST = """
const linear = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const bright = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const over = (colours) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return canvas.getImageData(0, 0, 1, 1).data;
};
let least = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.data.trim();
  const element = walker.currentNode.parentElement;
  if (!text || element.closest("script, style, .unseen, .skip")) continue;
  if (!element.checkVisibility()) continue;
  const behind = [];
  for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
  const own = getComputedStyle(element);
  const colour = element instanceof SVGElement ? own.fill : own.color;
  const [a, b] = [bright(over([...behind, colour])), bright(over(behind))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least[0]) least = [contrast, text];
}
return least;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with an empty profile."""
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(digits: Path, report: Report, tmp_path: Path) -> Path:
    """The report of the digits."""
    out = tmp_path / "report.html"
    report(digits, "--out", out)
    return out


def open_page(browser: Browser, path: Path, width: int = 1400, scheme: str = "light") -> None:
    """Shows a page; whatever it says in the console, or loads, fails the test."""
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": media})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())


def said(browser: Browser) -> list[str]:
    """The console's messages since the page was opened."""
    return [entry["message"] for entry in browser.get_log("browser")]


def loaded(browser: Browser) -> set[str]:
    """The schemes of all that has been asked for since the page was opened."""
    entries = (json.loads(entry["message"]) for entry in browser.get_log("performance"))
    sent = (e["message"] for e in entries if e["message"]["method"] == "Network.requestWillBeSent")
    urls = [message["params"]["request"]["url"] for message in sent]
    assert sum(url.startswith("file:") for url in urls) == 1
    return {url.partition(":")[0] for url in urls}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_every_part_is_there_and_the_console_is_silent(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    open_page(browser, page, width, scheme)

    def count(selector: str) -> int:
        script = (
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()"
            " && e.getBoundingClientRect().width && e.getBoundingClientRect().height).length"
        )
        return int(browser.execute_script(script, selector))

    assert count("h1") == 1
    assert count("section > h2") == 6
    assert count(".figures > div") >= 4
    assert count(".listing .forward code:not(.hoisted)") == 24
    assert count(".listing .backward .step") == 17
    assert count(".chart svg") == 2
    assert count(".chart .line path") >= 6
    assert count(".matrix tbody td") == 110
    assert count(".album img") == 64
    assert count("#plan tbody tr") >= 26
    assert count("#settings dl dd") >= 15
    drawn = "return [...document.images].every(i => i.complete && i.naturalWidth == 8 && i.alt)"
    assert browser.execute_script(drawn)
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(overflow) == 0
    least, text = browser.execute_script(CONTRAST)
    assert least >= 4.5, text
    assert said(browser) == []
    assert loaded(browser) <= {"file", "data"}


def test_the_columns_are_side_by_side_and_aligned(browser: Browser, page: Path) -> None:
    open_page(browser, page)
    rows = browser.execute_script(
        "return [...document.querySelectorAll('.listing .paired')].map(row => {"
        " const [a, b] = ['.forward code', '.backward code'].map(s => row.querySelector(s)"
        ".getBoundingClientRect()); return [a.top - b.top, b.left - a.right]; })"
    )
    assert len(rows) == 7
    assert all(abs(top) < 6 and gap > 0 for top, gap in rows), rows


def test_values_under_the_pointer_and_by_keys(browser: Browser, page: Path, digits: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    open_page(browser, page)
    plot = browser.find_element(By.CSS_SELECTOR, ".plot")
    tip = plot.find_element(By.CSS_SELECTOR, ".tip")
    assert not tip.is_displayed()
    ActionChains(browser).move_to_element(plot).perform()
    assert tip.is_displayed()
    assert "step" in tip.text
    assert "each minibatch" in tip.text
    svg = plot.find_element(By.CSS_SELECTOR, "svg")
    svg.send_keys(Keys.END)
    entries = [json.loads(line) for line in (digits / "log.jsonl").read_text().splitlines()]
    last = [entry for entry in entries if entry["event"] == "epoch"][-1]
    shown = tip.text.splitlines()
    assert shown[0] == f"step {last['step']}"
    assert shown[2:] == [
        f"training {float(format(last['loss'], '.4g')):g}",
        f"held out {float(format(last['holdout_loss'], '.4g')):g}",
    ]
    svg.send_keys(Keys.ARROW_LEFT)
    assert tip.text.splitlines()[0] == f"step {last['step'] - 1}"
    svg.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    assert said(browser) == []


def test_the_theme_can_be_chosen(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.by import By

    open_page(browser, page)
    background = "return getComputedStyle(document.body).backgroundColor"
    light = browser.execute_script(background)
    button = browser.find_element(By.ID, "theme")
    seen = []
    for _ in range(3):
        button.click()
        seen.append((button.text, browser.execute_script(background) == light))
    assert seen == [
        ("Theme: light", True),
        ("Theme: dark", False),
        ("Theme: as the system", True),
    ]
    assert said(browser) == []


def test_it_prints(browser: Browser, page: Path) -> None:
    open_page(browser, page, scheme="dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert len(printed["data"]) > 50_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    body = "return getComputedStyle(document.body)"
    assert browser.execute_script(f"{body}.backgroundColor") == "rgb(255, 255, 255)"
    assert (
        browser.execute_script(
            "return getComputedStyle(document.querySelector('.listing td.backward')).display"
        )
        == "table-cell"
    )
    assert said(browser) == []


def test_hostile_text_stays_text(browser: Browser, copy: Path, report: Report) -> None:
    def spoil(facts: dict[str, Any]) -> None:
        facts["program"]["text"] = f"# {HOSTILE}\n{facts['program']['text']}# {HOSTILE}\n"
        facts["program"]["path"] = HOSTILE
        facts["options"] = {HOSTILE: HOSTILE}
        facts["versions"] = {"<base href=//example.com>": HOSTILE}

    change(copy, spoil)
    report(copy)
    open_page(browser, copy / "report.html")
    assert browser.execute_script("return typeof pwned") == "undefined"
    assert browser.execute_script("return document.scripts.length") == 1
    text = browser.execute_script("return document.querySelector('.listing').textContent")
    assert text.count(HOSTILE) == 2
    assert said(browser) == []
    assert loaded(browser) <= {"file", "data"}
