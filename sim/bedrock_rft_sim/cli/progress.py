"""What goes on now, on standard error: what, how far, how long, and what is likely to be left.

A terminal has it in lines at its bottom, which make way for whatever else is printed and come back;
of a run, the last step and a row of blocks for its rewards stand above them. A file or a pipe gets
a plain line now and then, and one per step of a run.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TextIO

from bedrock_rft_sim.cli.terminal import columns, wrapped, written
from bedrock_rft_sim.errors import masked

if TYPE_CHECKING:
    from bedrock_rft_sim.runs.observer import Stage

SILENT_FIRST_S = 1.5
"""Of silence before the first line."""
SILENT_S = 4.0
"""Of silence between two lines where there is no terminal."""
TICK_S = 0.25
GUESS_FROM_S = 3.0
"""Before that, what is left is not guessed."""
GUESS_FROM_SHARE = 0.02
"""A first share below it is a first token, which waited for the prompts to be read: the pace counts
from there."""
GUESS_LEAST_S = 1.0
"""Less is not said: at the end of a guess some work is left whose end nobody knows."""


class Progress:
    """Shows what goes on; `with` it, nothing stays silent for long."""

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quiet = False
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._clock = clock
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn: list[str] = []  # rows at the bottom of the terminal, to be erased
        self._is_mid_line = False  # somebody else's line has no end yet
        self._printed = clock()  # when anything was printed last
        self._silence = SILENT_FIRST_S
        self._stage: Stage | None = None
        self._since = clock()  # when the stage began
        self._moved = clock()  # when it was further than before
        self._pace_from = (clock(), 0.0)  # (time, share)
        self._last_step: str | None = None
        self._rewards: list[float] = []
        self._validations: list[float] = []
        self._first: tuple[float, int] | None = None  # (time, step) when the clock began

    def __enter__(self) -> Self:
        self._over.clear()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._erase()

    def make_way(self, text: str) -> None:
        """Clear the bottom of the terminal, since somebody else is about to print this text."""
        with self._lock:
            self._erase()
            self._is_mid_line = not text.endswith("\n")
            self._printed = self._clock()

    def doing(self, stage: Stage) -> None:
        """Take what goes on from now on, or how far it is."""
        with self._lock:
            if self._stage is None or stage.what != self._stage.what:
                self._since = self._moved = self._clock()
                self._pace_from = (self._since, 0.0)
            elif stage.share != self._stage.share:
                self._moved = self._clock()
                if not self._stage.share and (stage.share or 0.0) < GUESS_FROM_SHARE:
                    self._pace_from = (self._moved, stage.share or 0.0)
            self._stage = stage

    def of(self, command: str) -> Self:
        """Begin with a command, of which nothing else is known yet."""
        self.at(f"{command} at work")
        return self

    def at(self, what: str) -> None:
        """Take what goes on from now on, in words."""
        from bedrock_rft_sim.runs.observer import Stage  # a room that `rft --help` does not need

        self.doing(Stage(what))

    def say(self, line: str) -> None:
        """Print one line that stays."""
        with self._lock:
            self.make_way("\n")
            if not self.quiet:
                self._write("".join(f"{row}\n" for row in self._rows(line)))

    def step(self, metrics: Mapping[str, Any]) -> None:
        """Show a step's metrics (inner names)."""
        if "validation_rewards_mean" in metrics:
            self._validations.append(metrics["validation_rewards_mean"])
        if "critic_rewards_mean" in metrics:
            self._rewards.append(metrics["critic_rewards_mean"])
        with self._lock:
            self._last_step = self._line(metrics)
            if not self._is_terminal:
                self.say(self._last_step)
            elif not self.quiet:
                self._draw()

    def ended(self, _record: Mapping[str, Any]) -> None:
        """Leave the last step where it is; whoever runs the recipe says how it ended."""
        with self._lock:
            lines, self._last_step = [*self._of_run()], None
            for line in lines if self._is_terminal else ():
                self.say(line)

    def _tick(self) -> None:
        with suppress(OSError):  # nobody reads any more
            while not self._over.wait(TICK_S):
                self.look()

    def look(self) -> None:
        """Show what goes on, if it is time to."""
        with self._lock:
            silent = self._clock() - self._printed
            if self.quiet or self._is_mid_line or self._stage is None:
                return
            if self._is_terminal and (self._drawn or silent >= SILENT_FIRST_S):
                self._draw()
            elif not self._is_terminal and silent >= self._silence:
                self._silence = SILENT_S
                self.say(self._now(self._stage))

    def _draw(self) -> None:
        lines = [*self._of_run(), *([] if self._stage is None else [self._now(self._stage)])]
        rows = [row for line in lines for row in self._rows(line)]
        if rows != self._drawn:
            self._erase()
            self._write("\n".join(rows))
            self._drawn = rows

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r\x1b[K" + "\x1b[1A\x1b[K" * (len(self._drawn) - 1))
            self._drawn = []

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
        self._printed = self._clock()

    def _rows(self, line: str) -> list[str]:
        """Return the line as it may be shown, cut between words where a terminal is narrow."""
        shown = written(masked(line), self._stream)
        return wrapped(shown, columns(self._stream) - 1) if self._is_terminal else [shown]

    def _of_run(self) -> Iterator[str]:
        from bedrock_rft_sim.runs.metrics.spark import sparkline

        if self._last_step is not None:
            yield self._last_step
            named = (("reward", self._rewards), ("validation", self._validations))
            yield "  ".join(f"{name} {sparkline(values)}" for name, values in named if values)

    def _now(self, stage: Stage) -> str:
        far = "" if stage.of is None else f" of {stage.of:,}"
        parts = [f"{stage.what}: {stage.done:,}{far}" if far or stage.done else stage.what]
        parts.append(lasting(self._clock() - self._since))
        left = self._left(stage.share)
        return ", ".join([*parts, *([] if left is None else [f"about {lasting(left)} left"])])

    def _left(self, share: float | None) -> float | None:
        """Return the seconds that are left by the pace so far; None where it says nothing.

        A pace that was kept until the stage last moved is no guess any more once its end is over.
        """
        began, first = self._pace_from
        now, spent = self._clock(), self._moved - began
        if share is None or share <= first or spent <= 0 or now - self._since < GUESS_FROM_S:
            return None
        left = spent / (share - first) * (1 - share) - (now - self._moved)
        return left if left >= GUESS_LEAST_S else None

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
        now = self._clock()
        if self._first is None or step <= self._first[1]:
            self._first = (now, step)
            return []
        since, from_step = self._first
        seconds = math.ceil((now - since) / (step - from_step) * (total - step))
        return [f"left {seconds // 60}:{seconds % 60:02d}"] if seconds else []


def lasting(seconds: float) -> str:
    """Say how long something takes, as exactly as anybody needs to know."""
    if seconds < 90:  # noqa: PLR2004 - as people say it
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004
