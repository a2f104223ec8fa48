"""The page of a sweep: complete, self-contained, and deaf to what recipes put into it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from bedrock_rft_sim.sweep.page import render
from bedrock_rft_sim.sweep.result import SweepResult
from tests.sweep.conftest import BATCH, RATE

Swept = Callable[..., SweepResult]
AXES = f"axes: {{{RATE}: [1e-6, 3e-3], {BATCH}: [32, 77]}}\nallowRefused: true\nseeds: [0, 1]"


def data_of(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])


def test_the_page_says_what_the_result_says(swept: Swept):
    result = swept(AXES)
    html = render(result)
    assert "collapses</b>: in 2 of 2 runs" in html
    assert "is flat</b>: no gain beyond noise" in html
    assert "refused by Bedrock" in html
    assert "the policy became non-finite at step 3" in html
    assert result.ranking is not None
    assert result.ranking.words[0] in html
    assert html == (result.out / "sweep.html").read_text()


def test_the_graphs_get_effects_with_intervals_and_every_finished_setting(swept: Swept):
    data = data_of(render(swept(AXES)))
    assert data["axes"] == ["learningRate", "batchSize"]
    assert data["lines"][0]["name"] == "centre"
    assert len(data["lines"]) == 4  # the failed one has nothing to draw
    rate = data["effects"][0]
    assert rate["levels"] == ["1e-06", "0.0001 (base)", "0.003"]
    assert rate["values"][1] == 0.0
    assert rate["reach"][1] is None
    assert rate["reach"][0] > 0
    assert data["effects"][1]["values"][0] == 0.0
    assert data["effects"][1]["values"][-1] is None  # it failed, which is no effect of 0


def test_with_one_seed_no_interval_is_drawn(swept: Swept):
    html = render(swept(f"axes: {{{RATE}: [1e-6]}}"))
    assert data_of(html)["effects"][0]["reach"] == [None, None]
    assert "one seed" in html


def test_a_search_draws_its_trials_and_no_effects(swept: Swept):
    text = f"mode: search\naxes: {{{RATE}: {{low: 1e-5, high: 1e-4, log: true}}}}\ntrials: 3\n"
    data = data_of(render(swept(text + "pruner: none")))
    assert data["effects"] == []
    assert len(data["lines"]) == 4


def test_the_page_asks_for_nothing_and_runs_only_its_own_scripts(swept: Swept):
    html = render(swept(f"axes: {{{RATE}: [1e-6]}}"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe-eval" not in policy[1]
    rest = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", html, flags=re.S)
    assert not re.search(r'(src|href)\s*=\s*"?(https?:)?//', rest)


def test_text_from_a_recipe_is_shown_and_never_run(swept: Swept):
    hostile = "</script><img src=x onerror=alert(1)>"
    values = f'["minimal", "{hostile}"]'
    text = f"axes: {{local.chatTemplateKwargs.style: {values}}}\nallowRefused: true"
    html = render(swept(text))
    assert "<img" not in html
    assert "&lt;/script&gt;&lt;img src=x" in html
