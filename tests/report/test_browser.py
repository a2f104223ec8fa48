"""The page in a real browser, opened from disk and served: no error, no request, every control.

Without chromium and chromedriver it is skipped; RFT_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.report import Page
from bedrock_rft_sim.report.watch import Watch
from bedrock_rft_sim.runs import RunFolder
from tests.report.conftest import GROUP, HOSTILE, STEPS, add_step, make_run

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,900",
)
WAIT_S = 20


def missing(word: str) -> None:
    if os.environ.get("RFT_REQUIRE_BROWSER") == "1":
        pytest.fail(word)
    pytest.skip(word)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        missing("no browser here: chromium and chromedriver are needed on the path")
    if find_spec("selenium") is None:
        missing("no selenium here: pip install selenium")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(driver)
    chrome = webdriver.Chrome(options=options, service=service)
    yield chrome
    chrome.quit()


class Reader:
    """The page as a reader uses it."""

    def __init__(self, chrome: Any) -> None:
        self.chrome = chrome

    def open(self, url: str) -> None:
        self.chrome.get(url)
        self.until(lambda: self.script("return document.documentElement.dataset.ready"))

    def until(self, done: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.chrome, WAIT_S, poll_frequency=0.05).until(lambda _: done())

    def script(self, text: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(text, *arguments)

    def find(self, css: str) -> Any:
        return self.chrome.find_element("css selector", css)

    def all(self, css: str) -> list[Any]:
        return self.chrome.find_elements("css selector", css)

    def text(self, css: str) -> str:
        return self.script("return document.querySelector(arguments[0]).textContent", css)

    def choose(self, css: str) -> None:
        self.script("document.querySelector(arguments[0]).click()", css)

    def move_slider(self, step: int) -> None:
        self.script(
            "const slider = document.getElementById('step'); slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input', {bubbles: true}))",
            step,
        )

    def hover(self, title: str) -> str:
        """Point at the middle of a graph and return what it shows there."""
        from selenium.webdriver import ActionChains

        plot = self.find(f'.plot[aria-label="{title}"]')
        self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
        ActionChains(self.chrome).move_to_element(plot).perform()
        return self.until(
            lambda: self.script(
                "const layer = arguments[0].querySelector('.hoverlayer');"
                "return layer && layer.textContent",
                plot,
            )
        )

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.chrome.get_log("browser")]


@pytest.fixture
def reader(browser: Any) -> Iterator[Reader]:
    reading = Reader(browser)
    yield reading
    assert reading.complaints() == []


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    with make_run(tmp_path_factory.mktemp("runs")) as run:
        Page(run).write()
        return run.report.as_uri()


def test_a_graph_shows_its_value_under_the_pointer(reader: Reader, page: str) -> None:
    reader.open(page)
    shown = reader.hover("Training rewards")
    assert "step 2" in shown
    assert "0.375" in shown  # 3 of 8 answers are right at step 2
    assert "<i>accuracy</i>" in reader.hover("Reward components")


def test_local_graphs_name_their_unit(reader: Reader, page: str) -> None:
    reader.open(page)
    titles = [title.text for title in reader.all("#local-graphs h3")]
    assert "Grader latency seconds" in " ".join(titles).replace("\n", " ")
    assert "Time per step seconds" in " ".join(titles).replace("\n", " ")
    assert reader.text("#console-graphs h3") == "Training rewards"


def test_the_slider_moves_every_reading_and_the_answers(reader: Reader, page: str) -> None:
    reader.open(page)
    assert reader.text("#step-shown") == f"{STEPS} / {STEPS}"
    assert reader.text("#console-graphs .reading") == "0.625 reward"
    reader.move_slider(1)
    assert reader.text("#console-graphs .reading") == "0.250 reward"
    reader.until(lambda: "Step 1" in reader.text("#batch-note"))


def test_smoothing_draws_a_second_line_and_takes_it_away(reader: Reader, page: str) -> None:
    reader.open(page)
    lines = '.plot[aria-label="Training rewards"] .scatterlayer .js-line'
    assert len(reader.all(lines)) == 1
    reader.choose("#smoothing input[value='0.9']")
    reader.until(lambda: len(reader.all(lines)) == 2)
    assert "smoothed" in reader.hover("Training rewards")
    reader.choose("#smoothing input[value='0']")
    reader.until(lambda: len(reader.all(lines)) == 1)


def test_answers_are_filtered_ordered_and_opened_with_their_group(
    reader: Reader, page: str
) -> None:
    reader.open(page)
    entries = "#list button"
    reader.until(lambda: len(reader.all(entries)) == 2 * GROUP)
    reader.choose("#order input[value='best']")
    assert reader.text(f"{entries} .grade") == "1"
    reader.choose("#order input[value='worst']")
    assert reader.text(f"{entries} .grade") == "0"
    reader.script(
        "const field = document.getElementById('filter'); field.value = 'onerror';"
        "field.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert len(reader.all(entries)) == 2
    reader.choose(entries)
    assert len(reader.all("#group .sibling")) == GROUP
    assert HOSTILE[1] in reader.text("#group .sibling.chosen pre")
    reader.script(
        "const field = document.getElementById('grade'); field.value = 'positive';"
        "field.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    assert len(reader.all(entries)) == 0


def test_hostile_answers_change_nothing_and_hide_nothing(reader: Reader, page: str) -> None:
    reader.open(page)
    reader.until(lambda: reader.all("#group .sibling"))
    assert "broken" not in reader.chrome.title
    assert reader.all("#group img, #group script, #list img, #group b") == []
    group = reader.text("#group")
    for shown in ("\u241b[31mred\u2407", "[U+202E]gnirts", "[U+2028]", "half [U+D800] a pair"):
        assert shown in group
    assert HOSTILE[0] in group


def test_the_event_of_the_group_is_json_that_can_be_copied(reader: Reader, page: str) -> None:
    reader.open(page)
    reader.until(lambda: reader.all("#group details.events"))
    reader.choose("#group details.events summary")
    reader.choose("#group details.events button:nth-of-type(2)")
    event = json.loads(reader.text(".event"))
    assert [entry["messages"][-1]["content"] for entry in event] == list(HOSTILE)
    assert event[0]["metadata"]["reference_answer"]["final_answer"] == "42"


def test_validation_answers_have_their_own_list(reader: Reader, page: str) -> None:
    reader.open(page)
    reader.choose("#kind input[value='validation']")
    reader.until(lambda: "Validation after step 4" in reader.text("#batch-note"))
    assert len(reader.all("#list button")) == 2


def test_a_page_that_follows_its_run_keeps_the_reader_s_place(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.report.page.LIVE_EVERY_MS", 50)
    run = make_run(tmp_path, status="InProgress", steps=2)
    watch = Watch(RunFolder.open(run.path))
    following = threading.Thread(
        target=watch.follow, kwargs={"check_every_s": 0.05, "linger_s": 1.0}
    )
    following.start()
    try:
        reader.open(watch.url)
        reader.move_slider(1)
        reader.until(lambda: "Step 1" in reader.text("#batch-note"))
        add_step(run, 3)
        reader.until(lambda: reader.script("return document.getElementById('step').max") == "3")
        assert reader.text("#step-shown") == "1 / 4"
        reader.move_slider(3)
        reader.until(lambda: "Step 3" in reader.text("#batch-note"))
        add_step(run, 4)
        run.write_record(status="Completed")
        run.close()
        reader.until(lambda: reader.text("#status") == "Completed")
        assert reader.text("#step-shown") == "4 / 4"
        reader.until(lambda: "Step 4" in reader.text("#batch-note"))
    finally:
        run.close()
        following.join(timeout=WAIT_S)
    assert not following.is_alive()
    reader.move_slider(2)  # fetched before the server went away
    reader.until(lambda: "Step 2" in reader.text("#batch-note"))
