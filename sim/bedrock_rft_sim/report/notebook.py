"""A run as a notebook shows it: what it is, where its metrics began and ended, its curves.

Texts from a run are untrusted and escaped; nothing is run or fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from bedrock_rft_sim.errors import demand
from bedrock_rft_sim.recipe.shown import shown_table
from bedrock_rft_sim.report.graphs import console_graphs
from bedrock_rft_sim.report.series import console_series
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run, find_run

Cells = tuple[str, ...]
FLUID: Final = '<svg style="width: 100%; max-width: 66rem; height: auto" '


class ShownRun(Run):
    """A run as it is now: `Run.open("quickstart").lines`; read it again to see it go on.

    In a notebook it shows itself. `lines` are its metrics, one dictionary per step; `status`,
    `record`, `resolved` and `rollouts()` are what else it left.
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a run by its folder, by its name under runs/, or the one started last (`latest`).

        Raises:
            RunFolderError: there is no such run, or its record or metrics are damaged.
            ArgumentError: it is no name and no path.
        """
        demand("path", path, str, Path, expected="a run folder, the name of a run, or latest")
        return cls.read(find_run(str(path)))

    def _repr_html_(self) -> str:
        """Return the table and the curves."""
        rows = [
            (graph.title, f"{line.values[0]:.4g}", f"{line.values[-1]:.4g}", graph.unit)
            for graph in console_series(self.lines)
            for line in graph.series
        ]
        return shown(self.words, ("", "first", "last", ""), rows, console_graphs(self.lines))


def shown(headline: str, head: Cells, rows: Sequence[Cells], svg: str) -> str:
    """Return a headline, a table and a picture, which takes the width there is; texts escaped."""
    cells = [tuple(map(visible, row)) for row in rows]
    above = shown_table(visible(headline), cells, head=tuple(map(visible, head)))
    return above + svg.replace("<svg ", FLUID, 1)
