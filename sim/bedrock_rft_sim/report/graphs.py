"""Graphs as pictures: the six of Bedrock's console in one SVG, and any graph as a file.

Titles come from the metric table.  A step without a value leaves a gap; nothing is smoothed.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import demand_one_of
from bedrock_rft_sim.report.series import Graph, Lines, console_series, local_series
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS: Final = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""With what is left out of each, so that the same numbers give the same bytes."""
COLUMNS: Final = 3
WIDTH, ROW_HEIGHT = 11.0, 2.7  # inches
COLORS: Final = ("#2563a8", "#d1761c", "#1f9480", "#a457b8", "#c94f5d", "#7a8493")
BAND_COLOR: Final = "#1f9480"
BAND_WORDS: Final = "AWS's experiments, other models"
FLOOR_COLOR: Final = "#7a8493"
FLOOR_WORDS: Final = "floor: earned without solving"
FROM_ZERO: Final = ("share", "reward")
"""Units whose axis begins at 0, unless a value lies below."""
PICTURE_SIZE = (6.0, 3.4)  # inches
PICTURE_DPI: Final = 160
HASH_SALT: Final = "bedrock-rft-sim"  # keeps the ids inside the SVG the same from run to run


@contextlib.contextmanager
def figure(width: float, height: float, *, font_size: int = 9) -> Iterator[Figure]:
    """Give a figure of this size in inches, to be drawn and saved within the block."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": HASH_SALT, "svg.fonttype": "none", "font.size": font_size,
             "pdf.fonttype": 42}  # TrueType: journals refuse matplotlib's Type 3  # fmt: skip
    with mpl.rc_context(style):
        yield Figure(figsize=(width, height), layout="constrained")


def places(drawn: Figure, count: int, *, columns: int) -> list[Axes]:
    """Return the axes of this many graphs, row by row; what is left of the last row stays empty."""
    axes = drawn.subplots(rows_of(count, columns), columns, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.set_visible(False)
    return list(axes[:count])


def rows_of(count: int, columns: int) -> int:
    """Return how many rows this many graphs take."""
    return -(-count // columns)


def frame(axes: Axes, *, x: str = "step", y: str = "") -> None:
    """Give a graph its labels, a faint grid and no box."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def saved(drawn: Figure, form: str, *, dpi: int = PICTURE_DPI) -> bytes:
    """Return the figure in one of `FORMS`; the same numbers give the same bytes.

    Raises:
        ArgumentError: it is another form.
    """
    demand_one_of("form", form, FORMS)
    out = io.BytesIO()
    drawn.savefig(out, format=form, dpi=dpi, metadata=FORMS[form])
    return out.getvalue()


def inline_svg(drawn: Figure) -> str:
    """Return the figure for the inside of a page: no XML declaration and no doctype."""
    svg = saved(drawn, "svg").decode()
    return svg[svg.index("<svg") :]


def plain(name: str) -> str:
    """Return a name that matplotlib takes for text: no mathematics, no hidden entry."""
    return visible(name).replace("$", r"\$").lstrip("_") or "?"


def console_graphs(lines: Lines, *, bands: bool = False, floor: float | None = None) -> str:
    """Return an SVG of the console's graphs, in its order."""
    graphs = console_series(lines, bands=bands, floor=floor)
    with figure(WIDTH, ROW_HEIGHT * rows_of(len(graphs), COLUMNS)) as drawn:
        for axes, graph in zip(places(drawn, len(graphs), columns=COLUMNS), graphs, strict=True):
            axes.set_title(graph.title, fontsize=10, loc="left")
            _draw(axes, graph)
        return inline_svg(drawn)


def picture(graph: Graph, form: str) -> bytes:
    """Return one graph in one of `FORMS`; the same numbers give the same bytes."""
    with figure(*PICTURE_SIZE, font_size=10) as drawn:
        axes = drawn.subplots()
        axes.set_title(graph.title, fontsize=12, loc="left")
        _draw(axes, graph)
        if len(graph.series) > 1:
            axes.legend(frameon=False, fontsize=9)
        return saved(drawn, form)


def _draw(axes: Axes, graph: Graph) -> None:
    frame(axes, y=graph.unit if graph.series else "")
    axes.locator_params(axis="x", integer=True)
    if not graph.series:
        axes.text(0.5, 0.5, "no values", ha="center", va="center", transform=axes.transAxes)
    if graph.band is not None:
        shade(axes, graph.band)
    if graph.floor is not None:
        axes.axhline(graph.floor, color=FLOOR_COLOR, linewidth=0.9, linestyle="--")
        axes.text(0.01, graph.floor, FLOOR_WORDS, va="bottom", fontsize=7, color=FLOOR_COLOR,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    marker = "o" if graph.sparse else ""
    for index, line in enumerate(graph.series):
        color, label = COLORS[index % len(COLORS)], plain(line.name)
        axes.plot(line.steps, line.values, label=label, color=color, linewidth=1.4, marker=marker,
                  markersize=3)  # fmt: skip
    if graph.unit in FROM_ZERO and all(v >= 0 for line in graph.series for v in line.values):
        axes.set_ylim(bottom=0)


def shade(axes: Axes, band: tuple[float, float]) -> None:
    """Mark between which values AWS's own experiments moved, and say so."""
    low, high = band
    axes.axhspan(low, high, color=BAND_COLOR, alpha=0.12, linewidth=0)
    axes.text(0.99, high, BAND_WORDS, ha="right", va="top", fontsize=7, color=BAND_COLOR,
              transform=axes.get_yaxis_transform())  # fmt: skip


def export_graphs(run: Run, form: str, folder: Path, *, bands: bool = False) -> list[Path]:
    """Write the graphs that have values into `folder`, made if need be; return the files.

    Raises:
        RunFolderError: the disk refuses.
    """
    written = []
    console = console_series(run.lines, bands=bands, floor=run.floor)
    for graph in (*console, *local_series(run.lines)):
        if graph.series:
            stem = re.sub("[^a-z0-9]+", "-", graph.title.lower()).strip("-")
            written.append(folder / f"{stem}.{form}")
            content = picture(graph, form)
            files.write_file(written[-1], content, "export the graph", parents=True, durable=False)
    return written
