"""A run as a notebook shows it: what it is, where its metrics began and ended, its curves.

Texts from a run are untrusted and escaped; nothing is run or fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from bedrock_rft_sim.report.graphs import console_graphs
from bedrock_rft_sim.report.series import console_series
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run

Cells = tuple[str, ...]
FLUID: Final = '<svg style="width: 100%; max-width: 66rem; height: auto" '


class ShownRun(Run):
    """A run as it is now: `Run.open("runs/quickstart").lines`; read it again to see it go on.

    In a notebook it shows itself. `lines` are its metrics, one dictionary per step; `status`,
    `record`, `resolved` and `rollouts()` are what else it left.
    """

    def _repr_html_(self) -> str:
        """Return the table and the curves."""
        total = (self.record.get("steps") or {}).get("total")
        of = f" of {total}" if total else ""
        head = f"{self.folder.name}: {self.status}, step {self.last_step}{of}"
        rows = [
            (graph.title, f"{line.values[0]:.4g}", f"{line.values[-1]:.4g}", graph.unit)
            for graph in console_series(self.lines)
            for line in graph.series
        ]
        return shown(head, ("", "first", "last", ""), rows, console_graphs(self.lines))


def shown(headline: str, head: Cells, rows: Sequence[Cells], svg: str) -> str:
    """Return a headline, a table and a picture, which takes the width there is; texts escaped."""
    above = Markup("<p><b>{}</b></p>").format(visible(headline)) + _table(head, rows)
    return str(above) + svg.replace("<svg ", FLUID, 1)


def _table(head: Cells, rows: Sequence[Cells]) -> Markup:
    def line(cell: str, cells: Cells) -> Markup:
        inside = (Markup(cell).format(visible(each)) for each in cells)  # noqa: S704 - ours
        return Markup("<tr>{}</tr>").format(Markup("").join(inside))

    headings = line("<th>{}</th>", head)
    body = Markup("").join(line("<td>{}</td>", row) for row in rows)
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(headings, body)
