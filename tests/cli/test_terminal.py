"""What reaches a terminal: no control character of the data, no secret, one message per mistake."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from bedrock_rft_sim import cli
from bedrock_rft_sim.cli import main, terminal

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
KEY = "sk-live-0123456789abcdef"


class Utf8(io.TextIOWrapper):
    """A stream into memory, as strict as a terminal's."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


def printed(monkeypatch: pytest.MonkeyPatch, *texts: str, encoding: str = "utf-8") -> str:
    stream = Utf8(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with terminal.guarded():
        print(*texts, sep="\n")
    return stream.text()


def test_control_characters_are_printed_as_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, f"a{ESCAPE}b\tc") == "a␛]0;owned␇␛[2Jb\tc\n"


@pytest.mark.parametrize("hidden", ["\x9b31m", "\u202e", "a\rb", "\x7f", "\x08"])
def test_nothing_that_moves_or_turns_text_is_printed(
    monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    assert set(printed(monkeypatch, hidden)).isdisjoint("\x9b\u202e\r\x7f\x08")


def test_half_a_character_is_printed_as_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, "a\udcffb") == "a[U+DCFF]b\n"


def test_what_the_terminal_has_no_letter_for_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, "é→", encoding="ascii") == "\\xe9\\u2192\n"


def test_progress_may_go_back_to_the_beginning_of_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert printed(monkeypatch, "\rgraded 3") == "\rgraded 3\n"


def test_rich_shows_colours_and_nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Utf8()
    monkeypatch.setattr(sys, "stdout", stream)
    with terminal.guarded():
        shown = terminal.console(force_terminal=True, color_system="standard")
        shown.print(Text(f"a{ESCAPE}", style="red"))
    assert stream.text() == "\x1b[31ma␛]0;owned␛[2J\x1b[0m\n"  # rich drops the bell


@pytest.mark.parametrize("width", [20, 40, 79])
def test_a_narrow_terminal_gets_whole_words_and_no_number_without_its_unit(width: int) -> None:
    line = "spread   480 answers of the audit: 0 to 1, 6.7 % at the top, within 20.4 ms and 12 MB"
    rows = terminal.wrapped(line, width)
    assert max(map(len, rows)) <= width
    assert " ".join(" ".join(rows).split()) == " ".join(line.split())
    assert not any(row.split()[0] in ("%", "ms", "MB") for row in rows)


def test_a_table_too_wide_for_the_terminal_is_a_block_per_row_and_never_for_a_pipe() -> None:
    table = terminal.Table([("one", "1", "yes"), ("two", "2", "no")], ("name", "count", "said"))
    whole = ["name  count  said", "one   1      yes", "two   2      no"]
    assert table.lines() == table.lines(17) == whole
    assert table.lines(16)[:3] == ["one", "  count  1", "  said   yes"]
    assert terminal.Table([("a name", "   12", "bar")]).lines(10) == ["a name", "  12  bar"]


def on_terminal(monkeypatch: pytest.MonkeyPatch, name: str, width: int) -> Utf8:
    """Put a terminal of this width, without colours, in the place of a standard stream."""
    stream = Utf8()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(terminal, "columns", lambda _: width)
    monkeypatch.setenv("NO_COLOR", "1")
    return stream


def test_a_message_wraps_between_words_keeps_a_path_whole_and_hides_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = "/a/long/path/that/is/wider/than/the/terminal/is"
    monkeypatch.setenv("SOME_API_KEY", KEY)
    monkeypatch.setattr(cli, "parser", broken(OSError(36, f"File name too long {KEY}", path)))
    screen = on_terminal(monkeypatch, "stderr", 30)
    assert main(["check"]) == 1
    rows = screen.text().splitlines()
    assert f"  {path}:" in rows
    assert all(len(row) <= 30 for row in rows if path not in row)
    assert "***" in screen.text()
    assert KEY not in screen.text()


def test_a_wrong_argument_is_told_in_rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch, "stderr", 40)
    with pytest.raises(SystemExit) as refused:
        main(["audit", "gsm8k", "--timeout", "three and a half seconds or a little more"])
    assert refused.value.code == 2
    said = screen.text().splitlines()
    error = next(number for number, row in enumerate(said) if row.startswith("rft: "))
    assert max(map(len, said[error:])) <= 40
    assert "expected a whole number" in " ".join(" ".join(said[error:]).split())


def test_a_terminal_shows_fail_in_red_and_leaves_commands_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Utf8()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(terminal, "columns", lambda _: 40)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    command = "  rft run recipe.yaml --set local.seed=1 --name a-long-name --resume"
    with terminal.guarded():
        terminal.print_lines(["  FAIL root 0 of 1", command])
    assert "\x1b[1;31mFAIL\x1b[0m root 0 of 1" in stream.text()
    assert f"{command}\n" in stream.text()


def test_json_stays_json_whatever_its_texts_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"text": f"{ESCAPE}\x7f\ud800\u202e"}
    assert json.loads(printed(monkeypatch, json.dumps(found))) == found


def broken(error: Exception) -> Any:
    """Return a parser whose command raises."""

    def command(_arguments: Namespace) -> int:
        raise error

    return lambda: Namespace(parse_args=lambda given: Namespace(command=command))


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError()])
def test_a_mistake_of_ours_is_one_message(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "parser", broken(error))
    assert main(["check"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rft: a mistake of ours")
    assert type(error).__name__ in said
    assert "--debug" in said
    assert "Traceback" not in said


def test_what_the_system_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "parser", broken(OSError(36, "File name too long", "nnn")))
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith(
        "rft: nnn: the system refuses\n  found: File name too long"
    )


def test_debug_shows_the_traceback_without_the_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    monkeypatch.setattr(cli, "parser", broken(ValueError(f"bad header {KEY!r}")))
    assert main(["check", "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "bad header '***'" in said


def test_a_message_and_what_an_argument_repeats_hold_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    assert main(["check", f"{KEY}/recipe.yaml"]) == 2
    assert KEY not in capsys.readouterr().err


def test_an_argument_that_is_no_text_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bedrock_rft_sim", "check", "quickstart", "--set"]
    ended = subprocess.run(
        [*map(os.fsencode, command), b"jobName=\xff"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"rft: an argument is not UTF-8")


def test_a_message_is_cut_where_a_value_is_a_book(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"jobName: x\n{'k' * 200_000}: 1\n")
    assert main(["check", str(recipe)]) == 2
    assert len(capsys.readouterr().err) < 20_000
