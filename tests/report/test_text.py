"""The report on a terminal, and the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bedrock_rft_sim.report.graphs import export_graphs
from bedrock_rft_sim.report.page import Page
from bedrock_rft_sim.report.series import console_series, local_series
from bedrock_rft_sim.report.text import graph_rows, head_lines, verdict_lines
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.metrics.spark import condensed, sparkline
from tests.report.conftest import make_run
from tests.run_folders import metric_line, write_run


def printed(run: RunFolder) -> str:
    summary = Page(run).summary()
    head = head_lines(summary.run, summary.headline, summary.remarks)
    rows = ("  ".join(row) for row in graph_rows(summary.run))
    return "\n".join([*head, *rows, *verdict_lines(summary.run, summary.verdicts)])


def test_the_terminal_report_has_headline_rows_and_verdicts(folder: RunFolder) -> None:
    text = printed(folder)
    assert "run: Completed, step 4 of 4" in text
    assert "Training rewards" in text
    assert "▁▃▅█" in text
    assert "0.25 → 0.625 reward" in text
    assert "warning: truncation" in text
    assert "next: Raise inferenceMaxTokens" in text


def test_second_opinions_and_the_floor_stand_under_the_console_s_graphs(tmp_path: Path) -> None:
    floor = {"score": 0.125, "strategy": "guesses: \x1b[2J", "strategies": 327, "rows": 32}
    lines = [
        metric_line(n, 4, reward=0.5, local_also_graded={"gsm8k": n / 4}) for n in (1, 2, 3, 4)
    ]
    with write_run(tmp_path, "known", lines=lines, floor=floor) as run:
        text = printed(run)
        assert Page(run).summary().as_json()["floor"] == floor
    assert "Second opinions, gsm8k" in text
    assert "0.25 → 1 reward" in text
    assert "floor of the reward  0.125, earned without solving: the best of 327" in text
    assert "\x1b" not in text
    with write_run(tmp_path, "not", lines=lines, floor={"left_out": "it asks a judge"}) as run:
        assert "floor of the reward  not measured: it asks a judge" in printed(run)


def test_the_terminal_gets_no_control_characters(tmp_path: Path) -> None:
    with make_run(tmp_path, error="boom \x1b[2J\u202e\nsecond line") as run:
        text = printed(run)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "boom \u241b[2J[U+202E]\n  second line" in text


def test_a_run_without_steps_is_told_in_words(tmp_path: Path) -> None:
    with make_run(tmp_path, steps=-1) as run:
        assert "No training step was recorded." in printed(run)


@pytest.mark.parametrize(
    ("values", "blocks"),
    [([], ""), ([1.0], "▁"), ([0.0, 1.0], "▁█"), ([2.0, 2.0], "▁▁"), ([0.0, 0.5, 1.0], "▁▄█")],
)
def test_a_row_of_blocks_goes_from_lowest_to_highest(values: list[float], blocks: str) -> None:
    assert sparkline(values) == blocks


def test_a_whole_run_fits_into_one_row() -> None:
    assert condensed([float(n) for n in range(100)], width=4) == [12.0, 37.0, 62.0, 87.0]
    assert condensed([1.0, 2.0], width=4) == [1.0, 2.0]
    assert condensed([]) == []


@pytest.mark.parametrize("form", ["png", "svg"])
def test_every_graph_with_values_becomes_a_picture(
    folder: RunFolder, tmp_path: Path, form: str
) -> None:
    run = Run.read(folder)
    only = replace(run, lines=[_few(line) for line in run.lines])
    written = export_graphs(only, form, tmp_path / "new" / "pictures")
    assert [path.name for path in written] == [
        f"training-rewards.{form}",
        f"reward-components.{form}",
    ]
    again = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in export_graphs(only, form, tmp_path / "b")] == again
    start = b"\x89PNG" if form == "png" else b"<?xml"
    assert all(content.startswith(start) for content in again)


def _few(line: dict[str, object]) -> dict[str, object]:
    return {k: line[k] for k in ("step", "critic_rewards_mean", "local_reward_components")
            if k in line}  # fmt: skip


def test_missing_values_leave_gaps_and_strange_ones_are_no_points() -> None:
    lines = [
        {"step": 1, "critic_rewards_mean": 0.5},
        {"step": 2},
        {"step": 3, "critic_rewards_mean": float("nan")},
        {"step": 4, "critic_rewards_mean": 1},
    ]
    (series,) = console_series(lines)[0].series
    assert (series.steps, series.values) == ([1, 4], [0.5, 1.0])
    assert local_series(lines) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext é 漢 😀", "plain\n\ttext é 漢 😀"),
        ("\x00\x1b\x7f\x85", "␀␛␡[U+0085]"),
        ("a\u200bb\u2066c\ufeff", "a[U+200B]b[U+2066]c[U+FEFF]"),
        ("\r", "␍"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_run_without_graphs_leaves_no_empty_folder(tmp_path: Path) -> None:
    with make_run(tmp_path, steps=-1) as run:
        assert export_graphs(Run.read(run), "svg", tmp_path / "pictures") == []
    assert not (tmp_path / "pictures").exists()
