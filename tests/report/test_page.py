"""The page about a run: self-contained, and hostile text stays text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.report import Page, PageDuringRun
from bedrock_rft_sim.report.graphs import FLOOR_WORDS, console_graphs
from bedrock_rft_sim.runs import RunFolder
from tests.report.conftest import GROUP, HOSTILE, STEPS, make_run

LINES = [
    {"step": 0, "total_steps": 2, "validation_rewards_mean": 0.25},
    {"step": 1, "total_steps": 2, "critic_rewards_mean": 0.5, "actor_entropy": 1.25},
    {"step": 2, "total_steps": 2, "critic_rewards_mean": 0.75, "validation_rewards_mean": 0.5},
]
TITLES = (
    "Training rewards",
    "Validation rewards",
    "Training episode lengths",
    "Validation episode lengths",
    "Policy entropy",
    "Gradient norm",
)


class Elements(HTMLParser):
    """What a browser would make of the page: scripts with their texts, and every tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._script: dict[str, str | None] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = dict(attrs) if tag == "script" else None
        if self._script is not None:
            self.scripts.append((self._script, ""))

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[-1] = (self._script, self.scripts[-1][1] + data)
        else:
            self.text += data

    def script(self, identity: str) -> str:
        return next(text for attrs, text in self.scripts if attrs.get("id") == identity)


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a completed run."""
    with make_run(tmp_path_factory.mktemp("runs")) as run:
        return Page(run).render()


def test_the_graphs_carry_the_console_s_titles() -> None:
    svg = console_graphs(LINES)
    for title in TITLES:
        assert title in svg


def test_axes_have_whole_steps_and_rewards_begin_at_zero() -> None:
    svg = console_graphs(LINES)
    first = svg[svg.index('id="axes_1"') : svg.index('id="axes_2"')]
    ticks = {
        axis: re.findall(rf'id="{axis}tick_\d+">.*?<text[^>]*>([^<]+)<', first, re.DOTALL)
        for axis in "xy"
    }
    assert ticks["x"] == ["1", "2"]
    assert float(ticks["y"][0]) == 0


def test_the_floor_is_a_line_under_both_rewards_and_only_where_it_is_known() -> None:
    assert console_graphs(LINES, floor=0.125).count(FLOOR_WORDS) == 2
    assert FLOOR_WORDS not in console_graphs(LINES)


def test_the_graphs_are_the_same_bytes_for_the_same_numbers() -> None:
    assert console_graphs(LINES) == console_graphs(LINES)


def test_no_metrics_make_a_page_that_says_so() -> None:
    assert "no values" in console_graphs([])


def test_the_page_is_the_same_bytes_for_the_same_folder(folder: RunFolder) -> None:
    assert Page(folder).render() == Page(folder).render()


def test_the_only_code_is_the_page_s_own_and_its_hash_is_the_policy(html: str) -> None:
    page = Elements(html)
    code = [text for attrs, text in page.scripts if "type" not in attrs]
    data = [attrs["type"] for attrs, _ in page.scripts if "type" in attrs]
    assert len(code) == 1
    assert set(data) == {"application/json", "text/plain"}
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    library = gzip.decompress(base64.b64decode(page.script("plotly")))
    for text in (code[0].encode(), library):
        assert base64.b64encode(hashlib.sha256(text).digest()).decode() in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")


def test_nothing_is_fetched_and_no_handler_stands_in_a_tag(html: str) -> None:
    for tag, attrs in Elements(html).tags:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form")
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href"):
                assert str(value).startswith("#"), (tag, value)


def test_hostile_words_of_the_run_are_shown_as_text(tmp_path: Path) -> None:
    with make_run(
        tmp_path, error="</pre><script>alert(1)</script>\x1b[2J\u202e", device={"<b>": "</td>"}
    ) as run:
        page = Elements(Page(run).render())
    assert "</pre><script>alert(1)</script>\u241b[2J[U+202E]" in page.text
    assert "b" not in {tag for tag, _ in page.tags}


def test_hostile_answers_travel_packed_and_whole(html: str) -> None:
    batch = unpacked(Elements(html).script("batch-train-3"))
    assert [row["text"] for row in batch["groups"][1]["rows"]] == list(HOSTILE)
    assert HOSTILE[0] not in html
    assert batch["answers"] == batch["kept"] == 2 * GROUP


def test_every_step_and_validation_is_there(html: str) -> None:
    data = json.loads(Elements(html).script("data"))
    assert [each["id"] for each in data["batches"]] == [
        *(f"train-{step}" for step in range(1, STEPS + 1)),
        *(f"validation-{step}" for step in (0, 2, 4)),
    ]
    assert [graph["title"] for graph in data["graphs"] if graph["console"]] == list(TITLES)


def test_without_javascript_the_verdict_the_graphs_and_the_ledger_are_there(
    html: str,
) -> None:
    page = Elements(html)
    assert "Validation reward 1.000 → 1.000." in page.text
    assert "Policy entropy" in page.text  # drawn, not scripted
    assert "lora_rank" in page.text
    assert "rollouts/" in page.text
    assert "3 min 05 s" in page.text


def test_the_recipe_is_told_by_its_differences_from_the_defaults(html: str) -> None:
    text = html
    differences = text[text.index("What differs") : text.index("Every setting")]
    assert "learning_rate" in differences
    assert "weight_decay" not in differences
    assert "assumed" in differences


def test_a_run_that_failed_before_its_recipe_has_a_page(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "early") as run:
        run.write_record(status="Failed", error="the model could not be loaded")
        Page(run).write()
        page = Elements(run.report.read_text(encoding="utf-8"))
    assert "the model could not be loaded" in page.text
    assert "before its recipe was written" in page.text
    assert "no values" in page.text


def test_a_killed_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    make_run(tmp_path, status="InProgress", steps=2).close()
    text = Elements(Page(RunFolder.open(tmp_path / "run")).render()).text
    assert "it was killed" in text
    assert "step2 of 4" in text


def test_a_run_that_goes_on_names_the_way_to_follow_it(tmp_path: Path) -> None:
    with make_run(tmp_path, status="InProgress", steps=2) as run:
        text = Elements(Page(run).render()).text
    assert "it was killed" not in text
    assert "--watch" in text


def test_a_page_without_plotly_keeps_the_drawn_graphs(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.report.html.plotly", lambda: None)
    page = Elements(Page(folder).render())
    assert page.script("plotly") == ""
    assert "Policy entropy" in page.text


def test_the_heavy_plotting_package_is_never_imported(folder: RunFolder) -> None:
    import sys

    Page(folder).render()
    assert "plotly" not in sys.modules


def test_during_a_run_the_page_is_written_at_once_and_then_seldom(folder: RunFolder) -> None:
    now = 0.0
    page = PageDuringRun(folder, clock=lambda: now)
    page.step({})
    assert folder.report.is_file()
    folder.report.unlink()
    now = 29.0
    page.step({})
    assert not folder.report.exists()
    now = 31.0
    page.step({})
    assert folder.report.is_file()


def test_a_step_s_answers_are_read_once(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = RunFolder.read_rollouts
    monkeypatch.setattr(
        RunFolder, "read_rollouts", lambda self, step: read.append(step) or original(self, step)
    )
    page = Page(folder)
    page.render()
    page.render()
    assert read == [1, 2, 3, 4]


def test_the_marks_of_an_error_end_in_no_attribute(tmp_path: Path) -> None:
    with make_run(tmp_path, status='x" onclick="alert(1)') as run:
        html = Page(run).render()
    assert re.search(r'<[^>]* onclick="', html) is None
