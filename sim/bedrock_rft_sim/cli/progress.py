"""The live progress of a run, on standard error: lines that move, or one line per step.

A terminal gets the moving lines, with a row of blocks for the rewards and one for validation; a
file or a pipe gets plain lines without control characters.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.live import Live
from rich.text import Text

from bedrock_rft_sim.cli.terminal import console
from bedrock_rft_sim.runs.metrics.spark import sparkline


class Progress:
    """Shows each step's reward, entropy, length, speed and the time left."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = console(stderr=True, quiet=quiet)
        self._live: Live | None = None
        self._rewards: list[float] = []
        self._validations: list[float] = []
        self._first: tuple[float, int] | None = None  # (time, step) when the clock began

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """Print one line above the moving ones."""
        self._console.print(Text(line))

    def step(self, metrics: Mapping[str, Any]) -> None:
        """Show a step's metrics (inner names)."""
        if "validation_rewards_mean" in metrics:
            self._validations.append(metrics["validation_rewards_mean"])
        if "critic_rewards_mean" in metrics:
            self._rewards.append(metrics["critic_rewards_mean"])
        line = self._line(metrics)
        if self._live is not None:
            self._live.update(Text(f"{line}\n{self._sparks()}"))
        else:
            self._console.print(Text(line), soft_wrap=True)

    def ended(self, _record: Mapping[str, Any]) -> None:
        """Nothing more to show: whoever runs the recipe says how it ended."""

    def _sparks(self) -> str:
        named = (("reward", self._rewards), ("validation", self._validations))
        return "  ".join(f"{name} {sparkline(values)}" for name, values in named if values)

    def _line(self, metrics: Mapping[str, Any]) -> str:
        parts = [f"step {metrics['step']}/{metrics['total_steps']}"]
        shown = (
            ("reward", metrics.get("critic_rewards_mean"), "{:.3f}"),
            ("validation", self._validations[-1] if self._validations else None, "{:.3f}"),
            ("entropy", metrics.get("actor_entropy"), "{:.3f}"),
            ("length", metrics.get("response_length_mean"), "{:.1f}"),
            ("tokens/s", metrics.get("local_tokens_per_second"), "{:.0f}"),
        )
        parts += [
            f"{name} {form.format(value)}" for name, value, form in shown if value is not None
        ]
        return "  ".join([*parts, *self._time_left(metrics["step"], metrics["total_steps"])])

    def _time_left(self, step: int, total: int) -> list[str]:
        now = time.monotonic()
        if self._first is None or step <= self._first[1]:
            self._first = (now, step)
            return []
        since, from_step = self._first
        seconds = (now - since) / (step - from_step) * (total - step)
        return [f"left {int(seconds) // 60}:{int(seconds) % 60:02d}"]
