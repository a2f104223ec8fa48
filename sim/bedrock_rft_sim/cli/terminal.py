"""The one way to the terminal: what a text hides is shown there, and a secret on it is masked.

Data, model output and handlers may hold ESC, or bytes that are no text; printed as they are, they
could change what a terminal shows, or fail to be written. rich's own colours and movements pass.
Standard error, where messages, tracebacks and logs go, never shows the value of an environment
variable whose name says that it is a secret.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

from bedrock_rft_sim.errors import masked

if TYPE_CHECKING:
    from rich.console import Console


class _Shown:
    """A text stream on which everything can be seen."""

    def __init__(self, stream: TextIO, *, hides_secrets: bool) -> None:
        self.rich_proxied_file = stream
        """By this name rich finds the stream that takes its colours and movements."""
        self._hides_secrets = hides_secrets

    def write(self, text: str) -> int:
        """Write the text as it may be shown.

        A carriage return at its beginning stays: progress begins with one, and after a line's end
        it does nothing.
        """
        start, rest = ("\r", text[1:]) if text.startswith("\r") else ("", text)
        if self._hides_secrets:
            rest = masked(rest)
        self.rich_proxied_file.write(start + _written(rest, self.rich_proxied_file))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def _written(text: str, stream: IO[str]) -> str:
    """Return the text without what is hidden, in characters that the stream can write."""
    shown = _visible(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _visible(text: str) -> str:
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    from bedrock_rft_sim.report.visible import visible  # a room that `rft --help` does not need

    return visible(text)


@contextmanager
def guarded() -> Iterator[None]:
    """Let nothing but this module write to standard output and standard error in the block."""
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Shown(before[0], hides_secrets=False))
    sys.stderr = cast("TextIO", _Shown(before[1], hides_secrets=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def console(**options: Any) -> Console:
    """Return rich's console, for colour and movement; of texts it prints, all can be seen."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Shown(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                text = segment.text if segment.control else _written(segment.text, self.file)
                yield segment._replace(text=text)

    return Shown(highlight=False, **options)
