"""The one way to the terminal: what a text hides is shown there, and a secret on it is masked.

Data, model output and handlers may hold ESC, or bytes that are no text; printed as they are, they
could change what a terminal shows, or fail to be written. rich's own colours and movements pass.
Standard error, where messages, tracebacks and logs go, never shows the value of an environment
variable whose name says that it is a secret.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

from bedrock_rft_sim.errors import masked

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

COLUMNS: Final = 80
"""Of a terminal that does not say."""
COLUMNS_MIN: Final = 20
STYLES: Final = (
    (re.compile(r"^ *(FAIL|error|problem)\b"), "bold red"),
    (re.compile(r"^ *(warn|warning|can't tell)\b"), "yellow"),
    (re.compile(r"^ *(ok)\b"), "green"),
    (re.compile(r"^(note)(?=: )"), "blue"),
    (re.compile(r"(?:^|  )(different)$|^(Different)\b"), "bold red"),
    (re.compile(r"(?:^|  )(cannot tell)$|^(Cannot tell)\b"), "yellow"),
    (re.compile(r"(?:^|  )(same shape)$|^(Same shape)\b"), "green"),
    (re.compile(r"^verdict +(not ready|does not pass)"), "bold red"),
    (re.compile(r"^verdict +(ready|passes)"), "bold green"),
    (re.compile(r"^(Failed|Stopped)\b"), "bold red"),
    (re.compile(r"^(Completed)\b"), "bold green"),
)
"""The word of a line that a terminal shows in colour."""
UNIT: Final = re.compile(r"(?<=\d) (?=(%|s|ms|min|h|MB|GB|left)\b|%)|(?<=tokens/s) ")
"""The space before a unit, or behind one, at which no row ends."""
COPIED: Final = ("{", "[", "rft ", "aws ")
"""What a line begins with that is there to be copied, and is left whole."""


class _Shown:
    """A text stream on which everything can be seen."""

    def __init__(
        self, stream: TextIO, *, hides_secrets: bool, make_way: Callable[[str], None]
    ) -> None:
        self.rich_proxied_file = stream
        """By this name rich finds the stream that takes its colours and movements."""
        self.make_way = make_way
        """Called with each text before it is written."""
        self._hides_secrets = hides_secrets

    def write(self, text: str) -> int:
        """Write the text as it may be shown.

        A carriage return at its beginning stays: progress begins with one, and after a line's end
        it does nothing.
        """
        start, rest = ("\r", text[1:]) if text.startswith("\r") else ("", text)
        if self._hides_secrets:
            rest = masked(rest)
        self.make_way(text)
        self.rich_proxied_file.write(start + written(rest, self.rich_proxied_file))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def written(text: str, stream: IO[str]) -> str:
    """Return the text without what is hidden, in characters that the stream can write."""
    shown = _visible(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _visible(text: str) -> str:
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    from bedrock_rft_sim.report.visible import visible  # a room that `rft --help` does not need

    return visible(text)


def _stay(_text: str) -> None:
    """Make no way."""


@contextmanager
def guarded(make_way: Callable[[str], None] = _stay) -> Iterator[None]:
    """Let nothing but this module write to standard output and standard error in the block.

    `make_way` is called with each text before it is written.
    """
    before = sys.stdout, sys.stderr
    out = _Shown(before[0], hides_secrets=False, make_way=make_way)
    err = _Shown(before[1], hides_secrets=True, make_way=make_way)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@dataclass(frozen=True)
class Table:
    """Rows of cells; where a terminal is too narrow for the columns, each row is a block."""

    rows: Sequence[Sequence[str]]
    heads: Sequence[str] = ()
    """Of the columns; none where the cells say themselves what they are."""

    def lines(self, width: int | None = None) -> list[str]:
        """Return the lines, none of them wider than this because of its columns."""
        lines = aligned([self.heads, *self.rows] if self.heads else self.rows)
        if width is None or max(map(len, lines), default=0) <= width:
            return lines
        return [line for row in self.rows for line in self._block(row)]

    def _block(self, row: Sequence[str]) -> Iterator[str]:
        first, *others = (cell.strip() for cell in row)
        yield first
        if self.heads:
            size = max(map(len, self.heads[1:]))
            yield from (
                f"  {head:{size}}  {cell}"
                for head, cell in zip(self.heads[1:], others, strict=True)
            )
        else:
            yield "  " + "  ".join(others)


Line = str | Table


def columns(stream: IO[str]) -> int:
    """Return the width of the terminal behind a stream."""
    try:
        return max(COLUMNS_MIN, os.get_terminal_size(stream.fileno()).columns or COLUMNS)
    except (OSError, ValueError):  # no terminal, or none that knows its size
        return COLUMNS


def wrapped(line: str, width: int, *, cuts_words: bool = True) -> list[str]:
    """Return a line in rows no wider than this, cut between words; what follows is indented.

    A word that is wider is cut, too, unless it is to be copied, such as a path.
    """
    label = re.match(r" *\S+(?: \S+)* {2,}(?=\S)", line)
    margin = len(label[0]) if label else len(line) - len(line.lstrip()) + 2
    if margin > width // 3:
        margin = len(line) - len(line.lstrip()) + 2
    if len(line) <= width:
        return [line]
    line = UNIT.sub("\N{NO-BREAK SPACE}", line)
    rows = textwrap.wrap(line, width, subsequent_indent=" " * margin, drop_whitespace=True,
                         break_long_words=cuts_words, break_on_hyphens=False,
                         replace_whitespace=False)  # fmt: skip
    return [row.replace("\N{NO-BREAK SPACE}", " ") for row in rows] or [line]


def print_lines(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines to standard output or the stream; a terminal gets whole words and colour.

    A pipe gets every line and every table as wide as it is.
    """
    stream = stream or sys.stdout
    width = columns(stream) if stream.isatty() else None
    screen = None if width is None else console(soft_wrap=True, file=stream)
    for line in _one_by_one(lines, width):
        if screen is None or width is None:
            print(line, file=stream)
            continue
        shown = masked(line) if stream is sys.stderr else line  # rich writes past `_Shown.write`
        is_copied = shown.lstrip().startswith(COPIED)
        for row in [shown] if is_copied else wrapped(shown, width, cuts_words=False):
            screen.print(_coloured(row))


def _one_by_one(lines: Iterable[Line], width: int | None) -> Iterator[str]:
    for each in lines:
        yield from each.lines(width) if isinstance(each, Table) else each.split("\n")


def _coloured(row: str) -> Text:
    from rich.text import Text

    shown = Text(row)
    for pattern, style in STYLES:
        if found := pattern.search(row):
            shown.stylize(style, *found.span(found.lastindex or 0))
    return shown


def say(words: str) -> None:
    """Print what is said beside the result."""
    print_lines([words], sys.stderr)
    sys.stderr.flush()


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(cells).rstrip() for cells in lines]


def console(**options: Any) -> Console:
    """Return rich's console, for colour and movement; of texts it prints, all can be seen."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Shown(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                make_way = getattr(sys.stdout, "make_way", None)  # past what `_Shown.write` sees
                if make_way is not None:
                    make_way(segment.text)
                text = segment.text if segment.control else written(segment.text, self.file)
                yield segment._replace(text=text)

    return Shown(highlight=False, **options)
