"""The progress of a run: moving rows of blocks on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from bedrock_rft_sim.cli.progress import Progress

LINES = [
    {"step": 0, "total_steps": 2, "validation_rewards_mean": 0.25},
    {"step": 1, "total_steps": 2, "critic_rewards_mean": 0.25},
    {"step": 2, "total_steps": 2, "critic_rewards_mean": 0.75, "validation_rewards_mean": 0.5},
]


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    progress = Progress()
    progress._console = Console(file=out, force_terminal=terminal, width=100, highlight=False)
    with progress:
        for line in LINES:
            progress.step(line)
    return out.getvalue()


def test_a_terminal_sees_rewards_and_validation_as_rows_of_blocks() -> None:
    text = shown(terminal=True)
    assert "reward ▁█  validation ▁█" in text
    assert "\x1b[" in text


def test_elsewhere_there_is_one_plain_line_per_step() -> None:
    lines = shown(terminal=False).splitlines()
    assert lines[2].startswith("step 2/2  reward 0.750  validation 0.500")
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)
    assert "▁" not in "".join(lines)
