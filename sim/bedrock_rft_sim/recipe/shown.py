"""How an object shows itself in a notebook: a headline and a table; texts are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Cells = Sequence[object]


def shown_table(headline: str, rows: Sequence[Cells], *, head: Cells = ()) -> str:
    """Return HTML with a headline and a table; `head` names the columns."""
    heads = f"<thead>{_row('th', head)}</thead>" if head else ""
    body = "".join(_row("td", row) for row in rows)
    return f"<p><b>{escape(headline)}</b></p><table>{heads}<tbody>{body}</tbody></table>"


def _row(cell: str, cells: Cells) -> str:
    inside = "".join(f"<{cell}>{escape(str(each))}</{cell}>" for each in cells)
    return f"<tr>{inside}</tr>"
