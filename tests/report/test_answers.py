"""The answers of a run in any state: what can't be read is left out and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.report.page import Page
from bedrock_rft_sim.runs import RunFolder


def remarks(run: RunFolder) -> str:
    return "\n".join(Page(run).summary().remarks)


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(change(lines)))


def test_a_whole_folder_needs_no_remark(folder: RunFolder) -> None:
    assert remarks(folder) == ""


def test_a_torn_last_line_is_a_step_that_did_not_happen(folder: RunFolder) -> None:
    edit(folder.metrics, lambda lines: [*lines[:-1], lines[-1][:40]])
    summary = Page(folder).summary()
    assert summary.run.last_step == 3
    assert "train-4" not in {batch.id for batch in summary.batches}


def test_empty_metrics_are_a_run_before_its_first_step(folder: RunFolder) -> None:
    folder.metrics.write_text("")
    assert Page(folder).summary().headline.startswith("No training step was recorded.")


@pytest.mark.parametrize("text", ["", '{"step":1', "[]\n", '{"step": 1}\n'])
def test_a_damaged_file_of_answers_is_left_out_and_named(folder: RunFolder, text: str) -> None:
    folder.rollouts(2).write_text(text)
    summary = Page(folder).summary()
    if text:
        assert "The answers of step-000002.jsonl are left out" in "\n".join(summary.remarks)
    assert [b.answers for b in summary.batches if b.id == "train-2"] in ([], [0])
    assert "train-3" in {batch.id for batch in summary.batches}


def test_foreign_files_beside_the_answers_are_no_matter(folder: RunFolder) -> None:
    (folder.path / "rollouts" / "notes.txt").write_text("mine")
    (folder.path / "rollouts" / ".step-000009.jsonl.tmp").write_text("half")
    assert remarks(folder) == ""


def test_a_run_without_prompts_says_so(folder: RunFolder) -> None:
    (folder.path / "prompts.jsonl").unlink()
    assert "prompts.jsonl is missing" in remarks(folder)
