"""The page of a sweep in a real browser: every graph drawn, no error, no request.

Without chromium and chromedriver it is skipped; RFT_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bedrock_rft_sim.sweep.result import SweepResult
from tests.report.test_browser import browser  # noqa: F401  a fixture
from tests.sweep.conftest import BATCH, RATE

WAIT_S = 20
pytestmark = pytest.mark.slow


def opened(chrome: Any, result: SweepResult) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    chrome.get_log("browser")
    chrome.get((result.out / "sweep.html").as_uri())
    ready = "return document.documentElement.dataset.ready"
    WebDriverWait(chrome, WAIT_S, poll_frequency=0.05).until(lambda _: chrome.execute_script(ready))
    return chrome


def count(chrome: Any, css: str) -> int:
    return len(chrome.find_elements("css selector", css))


def test_effects_and_parallel_coordinates_are_drawn_without_an_error(
    swept: Callable[..., SweepResult],
    browser: Any,  # noqa: F811
):
    axes = f"{{{RATE}: [1e-6, 1e-3], {BATCH}: [32]}}"
    chrome = opened(browser, swept(f"axes: {axes}\nseeds: [0, 1]"))
    assert chrome.get_log("browser") == []
    assert count(chrome, "#effects .plot-card svg.main-svg") >= 2
    assert count(chrome, "#parallel .scatterlayer .trace") == 4


def test_on_a_phone_nothing_is_wider_than_the_page(
    swept: Callable[..., SweepResult],
    browser: Any,  # noqa: F811
):
    axes = f"{{{RATE}: [1e-6, 1e-3], {BATCH}: [32]}}"
    page = (swept(f"axes: {axes}\nseeds: [0, 1]").out / "sweep.html").as_uri()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        browser.get(page)
        ready = "return document.documentElement.dataset.ready"
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(browser, WAIT_S, poll_frequency=0.05).until(
            lambda _: browser.execute_script(ready)
        )
        width = "return document.documentElement.scrollWidth"
        assert browser.execute_script(width) <= 390
        names = browser.find_elements("css selector", "#parallel .xtick text")
        assert [name.text for name in names][:2] == ["learningRate", "batchSize"]
        bottom = "return document.querySelector('#parallel').getBoundingClientRect().bottom"
        lowest = max(name.rect["y"] + name.rect["height"] for name in names)
        above = browser.execute_script("return window.scrollY")
        assert lowest - above <= browser.execute_script(bottom) + 1
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_search_draws_its_settings_on_every_axis(
    swept: Callable[..., SweepResult],
    browser: Any,  # noqa: F811
):
    text = f"mode: search\naxes: {{{RATE}: {{low: 1e-5, high: 1e-3, log: true}}}}\ntrials: 2\n"
    chrome = opened(browser, swept(text + "pruner: none"))
    assert chrome.get_log("browser") == []
    assert count(chrome, "#effects .scatterlayer .point") == 3
    assert count(chrome, "#parallel .scatterlayer .trace") == 3
