"""The console in a real browser: what is shown, asked and stopped, and that nothing breaks out.

Without chromium and chromedriver it is skipped; RFT_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bedrock_rft_sim.jobs import Job
from tests.report.conftest import make_run
from tests.report.test_browser import Reader
from tests.server.conftest import Endpoint
from tests.server.console.conftest import BROKEN, HOSTILE_NAME

pytestmark = pytest.mark.slow

LINE = "#graphs .scatterlayer .js-line"


class Visitor(Reader):
    """The console as a person uses it."""

    def visit(self, endpoint: Endpoint, job: Job | None = None) -> None:
        self.chrome.get("about:blank")
        self.open(f"{endpoint.url}/console" + (f"#{job.id}" if job else ""))

    def ask(self, prompt: str) -> None:
        self.script("document.getElementById('prompt').value = arguments[0]", prompt)
        self.choose("#ask")
        ends = ("Ask both", "Ask the base model")
        self.until(lambda: self.text("#ask") in ends and not self.text("#asked"))


@pytest.fixture
def visitor(browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    monkeypatch.setattr("bedrock_rft_sim.server.console.endpoints.EVERY_MS", 200)
    visiting = Visitor(browser)
    yield visiting
    assert visiting.complaints() == []
    assert visiting.chrome.title == "Console: rehearsals for Amazon Bedrock RFT"


def test_a_finished_job_is_shown_with_curves_events_and_checkpoints(
    visitor: Visitor, console: Endpoint, finished: Job
) -> None:
    visitor.visit(console, finished)
    visitor.until(lambda: len(visitor.all(LINE)) == 6)
    assert visitor.text("#name") == "finished"
    assert visitor.text("#status") == "Completed"
    assert "4 of 4" in visitor.text("#facts")
    assert visitor.text("#graphs .plot-card h3") == "Training rewards"
    assert visitor.text("#graphs .plot-card .reading") == "0.625 reward, step 4"
    assert "0.375" in visitor.hover("Training rewards")
    assert "the local model 'tiny' stands in for" in visitor.text("#remarks ul")
    assert "Job <i>started</i> [U+202E]" in visitor.text("#events .says")
    assert "Step 4, training reward 0.625, validation reward" in visitor.text("#checkpoints .says")
    assert not visitor.find("#stop").is_displayed()
    assert visitor.text("#verdict") == "1 problem, 1 warning"
    rules = [each.text for each in visitor.all("#verdicts .verdict h3")]
    assert rules == ["problem parse failures", "warning truncation"]


def test_a_short_run_of_the_command_line_has_whole_steps_on_its_axes_and_rewards_from_zero(
    visitor: Visitor, console: Endpoint
) -> None:
    with make_run(console.state.jobs.runs, "short", steps=1) as run:
        visitor.visit(console)
        visitor.chrome.execute_script("location.hash = '#short'")
        visitor.until(lambda: visitor.text("#name") == "short" and visitor.all(LINE))
        first = visitor.all("#graphs .plot")[0]
        ticks = {
            axis: [each.text for each in first.find_elements("css selector", f".{axis}tick text")]
            for axis in "xy"
        }
        assert ticks["x"] == ["0", "1"]
        assert ticks["y"][0] == "0"
        assert not [each.text for each in visitor.all("#graphs .ytick text") if "−" in each.text]
        assert "rft run" in visitor.text("#facts")
        assert str(run.path) in visitor.text("#facts")
        assert visitor.text("#status") == "Completed"
        assert not visitor.find("#stop").is_displayed()
        visitor.ask("What is 6 times 7?")
        assert console.state.models.asks[-1].model == "tiny"
    shutil.rmtree(run.path)


def test_names_and_failures_are_text_whatever_they_hold(
    visitor: Visitor, console: Endpoint
) -> None:
    crashed = console.state.jobs.with_name("bedrock", HOSTILE_NAME)
    assert crashed is not None
    visitor.visit(console, crashed)
    shown = f'<img src=x onerror="{BROKEN}">[U+202E]gnp'
    assert visitor.text("#name") == shown
    assert visitor.text("#failure pre") == "<b>no</b> data"
    assert shown in [each.text for each in visitor.all("#jobs .who")]
    assert visitor.all("main img, main b:not(.phases b, .reading b), main script") == []
    assert "ended before its first step" in visitor.text("#no-step")


def test_both_models_answer_side_by_side(
    visitor: Visitor, console: Endpoint, finished: Job
) -> None:
    visitor.visit(console, finished)
    visitor.until(lambda: visitor.find("#example-field").is_displayed())
    visitor.script(
        "const field = document.getElementById('example'); field.value = '0';"
        "field.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    assert visitor.script("return document.getElementById('prompt').value") == "What is 6 times 7?"
    assert visitor.text("#reference") == "Reference answer: 42"
    visitor.ask("What is 6 times 7?")
    base = visitor.text("#answer-base pre")
    assert base.startswith(f"</pre><script>{BROKEN}</script>")
    assert base.endswith("\u241b half [U+D800]")
    assert visitor.text("#answer-tuned pre") == "#### 42"
    assert visitor.text("#answer-tuned p") == "3 tokens, ended by itself"
    assert visitor.all("#playground img, #playground script") == []
    first, second = console.state.models.asks[-2:]
    assert {first.model, second.model} == {"tiny", str(finished.folder / "model")}
    assert first.temperature == second.temperature == 0


def test_an_answer_that_fails_is_said_beside_it(
    visitor: Visitor, console: Endpoint, finished: Job
) -> None:
    visitor.visit(console, finished)
    visitor.ask("die")
    assert visitor.text("#answer-base p.wrong") == "the process of the model died"


def test_a_running_job_grows_and_is_stopped(
    visitor: Visitor, console: Endpoint, running_job: Callable[[], Job]
) -> None:
    job = running_job()
    visitor.visit(console)
    visitor.until(lambda: visitor.text("#status") == "running")
    reading = visitor.text("#graphs .plot-card .reading")
    visitor.until(lambda: visitor.text("#graphs .plot-card .reading") != reading)
    assert "checkpoint, step" in visitor.text("#tuned")
    assert not console.state.jobs.get(job.id).has_ended
    visitor.choose("#stop")
    assert visitor.text("#stop") == "Really stop after this step?"
    visitor.choose("#stop")
    visitor.until(lambda: visitor.text("#status") == "cancelled")
    assert console.state.jobs.get(job.id).status == "stopped"


def test_the_report_opens_where_it_can_ask_nothing(
    visitor: Visitor, console: Endpoint, finished: Job
) -> None:
    visitor.visit(console, finished)
    visitor.open(visitor.find("#report").get_attribute("href"))
    assert visitor.text("#step-shown") == "4 / 4"
    assert visitor.script("return origin") == "null"
    visitor.visit(console)


def test_a_phone_shows_it_without_scrolling_sideways(
    visitor: Visitor, console: Endpoint, finished: Job
) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    visitor.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        visitor.visit(console, finished)
        visitor.until(lambda: len(visitor.all(LINE)) == 6)
        visitor.until(lambda: visitor.find("#example-field").is_displayed())
        visitor.script("document.getElementById('example').add(new Option('a prompt '.repeat(9)))")
        assert visitor.script("return document.documentElement.scrollWidth") == phone["width"]
    finally:
        visitor.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


UPLOAD = """
const [put, post, done] = arguments;
const content = new Blob(["a=1&b=2\\n"], {type: "application/x-www-form-urlencoded"});
const form = new FormData();
for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
form.append("file", content, "from-a-browser.jsonl");
const sent = [
  fetch(put, {method: "PUT", body: content}),
  fetch(post.url, {method: "POST", body: form}),
];
Promise.all(sent).then(all => done(all.map(one => one.status)), error => done(String(error)));
"""


def test_a_browser_uploads_by_presigned_put_and_post(visitor: Visitor, console: Endpoint) -> None:
    s3 = console.client("s3")
    s3.create_bucket(Bucket="from-a-browser")
    put = s3.generate_presigned_url("put_object", {"Bucket": "from-a-browser", "Key": "put"})
    post = s3.generate_presigned_post("from-a-browser", "${filename}")
    visitor.visit(console)
    assert visitor.chrome.execute_async_script(UPLOAD, put, post) == [200, 204]
    for key in ("put", "from-a-browser.jsonl"):
        assert console.state.s3.get(f"s3://from-a-browser/{key}") == b"a=1&b=2\n"
