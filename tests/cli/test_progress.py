"""What goes on: lines that move on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import io
import re
import time

import pytest

from bedrock_rft_sim.cli import terminal
from bedrock_rft_sim.cli.progress import Progress, lasting
from bedrock_rft_sim.runs.observer import Stage

LINES = [
    {"step": 0, "total_steps": 2, "validation_rewards_mean": 0.25},
    {"step": 1, "total_steps": 2, "critic_rewards_mean": 0.25},
    {"step": 2, "total_steps": 2, "critic_rewards_mean": 0.75, "validation_rewards_mean": 0.5},
]
MOVES = re.compile(r"\x1b\[\d?[A-Z]")


class Screen(io.StringIO):
    """A stream into memory that may say it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Watched:
    """A progress whose clock is wound by hand."""

    def __init__(self, *, terminal: bool) -> None:
        self.now = 0.0
        self.screen = Screen(terminal=terminal)
        self.progress = Progress(self.screen, clock=lambda: self.now)

    def after(self, seconds: float) -> str:
        """Return what is printed while this time passes."""
        start = self.screen.tell()
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            self.progress.look()
        return self.screen.getvalue()[start:]


def test_a_terminal_sees_rewards_and_validation_as_rows_of_blocks() -> None:
    watched = Watched(terminal=True)
    for line in LINES:
        watched.progress.step(line)
    assert "reward ▁█  validation ▁█" in watched.screen.getvalue()
    assert "\x1b[" in watched.screen.getvalue()


def test_elsewhere_there_is_one_plain_line_per_step() -> None:
    watched = Watched(terminal=False)
    for line in LINES:
        watched.progress.step(line)
    lines = watched.screen.getvalue().splitlines()
    assert lines[2].startswith("step 2/2  reward 0.750  validation 0.500")
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)
    assert "▁" not in "".join(lines)


def test_a_validation_says_how_far_it_is_and_what_is_left() -> None:
    watched = Watched(terminal=False)
    watched.progress.doing(Stage("validating step 0", 0, 747))
    watched.after(100)
    watched.progress.doing(Stage("validating step 0", 96, 747, 0.125))
    last = watched.after(8).splitlines()[-1]
    assert last.startswith("validating step 0: 96 of 747, 2 min")
    assert last.endswith("about 12 min left")


def test_nothing_is_guessed_before_there_is_a_pace_nor_once_its_end_is_over() -> None:
    watched = Watched(terminal=True)
    told = watched.progress.doing
    told(Stage("sampling step 1", 0, 16))
    assert "left" not in watched.after(60)  # the prompts are read
    told(Stage("sampling step 1", 0, 16, 1 / 256))
    assert "left" not in watched.after(1)
    told(Stage("sampling step 1", 0, 16, 2 / 256))
    assert "about 4 min left" in watched.after(0.25)
    for turn in range(3, 257):
        watched.now += 1
        told(Stage("sampling step 1", 0, 16, turn / 256))
    assert "left" not in watched.after(60)  # the first batch is compared with a plain pass
    told(Stage("sampling step 1", 0, 16, 0.0))
    assert "left" not in watched.after(600)  # and sampled again by other means


def test_the_last_step_leaves_nothing_and_no_step_before_it_does() -> None:
    watched = Watched(terminal=False)
    for step in range(1, 4):
        watched.now += 0.1
        watched.progress.step({"step": step, "total_steps": 3})
    first, second, last = watched.screen.getvalue().splitlines()
    assert second.endswith("left 0:01")
    assert "left" not in first + last


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_is_silent_for_two_seconds_at_first_and_five_later(is_terminal: bool) -> None:
    watched = Watched(terminal=is_terminal)
    watched.progress.at("loading")
    assert "loading" in watched.after(2)
    for _ in range(10):
        assert "loading" in watched.after(5)


def test_a_quick_verb_says_nothing() -> None:
    watched = Watched(terminal=True)
    watched.progress.at("checking")
    assert watched.after(1) == ""


def test_what_is_quiet_stays_quiet() -> None:
    watched = Watched(terminal=False)
    watched.progress.quiet = True
    watched.progress.say("hello")
    watched.progress.step(LINES[0])
    assert watched.after(60) == ""


def test_it_makes_way_for_what_others_print(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(terminal=True)
    watched.progress.at("thinking")
    watched.after(3)
    monkeypatch.setattr("sys.stdout", watched.screen)
    with terminal.guarded(watched.progress.make_way):
        print("an answer")
    assert watched.screen.getvalue().endswith("\r\x1b[Kan answer\n")
    assert watched.after(1) == ""


def test_it_does_not_come_back_in_the_middle_of_a_line() -> None:
    watched = Watched(terminal=True)
    watched.progress.at("thinking")
    watched.progress.make_way("half a line")
    assert watched.after(10) == ""


@pytest.mark.parametrize("width", [30, 80, 120])
def test_no_row_is_wider_than_the_terminal_and_no_word_is_broken(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.cli.progress.columns", lambda _stream: width)
    watched = Watched(terminal=True)
    words = "sampling step 3 of 50 with HuggingFaceTB/SmolLM2-135M"
    watched.progress.doing(Stage(words, 4, 16, 0.25))
    watched.progress.step(LINES[2] | {"actor_entropy": 1.25, "response_length_mean": 44.0})
    rows = MOVES.sub("", watched.after(5)).replace("\r", "\n").splitlines()
    assert max(map(len, rows)) < width
    assert "HuggingFaceTB/SmolLM2-135M:" in " ".join(rows).split()


def test_a_run_s_last_step_stays_on_the_terminal() -> None:
    screen = Screen(terminal=True)
    with Progress(screen) as progress:
        progress.step(LINES[1])
        progress.ended({})
    assert screen.getvalue().splitlines()[-1].startswith("reward ")


def test_it_shows_of_itself_while_nobody_else_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedrock_rft_sim.cli.progress.SILENT_FIRST_S", 0.0)
    screen = Screen(terminal=False)
    with Progress(screen) as progress:
        progress.at("thinking")
        deadline = time.monotonic() + 30
        while "thinking" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "thinking" in screen.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (840, "14 min"), (9000, "2.5 h")]
)
def test_a_time_is_said_as_exactly_as_anybody_needs(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
