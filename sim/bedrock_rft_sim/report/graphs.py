"""The six graphs of Bedrock's console, under its titles, as one SVG; any graph as a picture.

Titles come from the metric table.  A step without a value leaves a gap; nothing is smoothed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.contract.metrics import METRICS, Metric
from bedrock_rft_sim.report.series import CONSOLE_ORDER, Graph
from bedrock_rft_sim.report.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
WIDTH, ROW_HEIGHT = 11.0, 2.7  # inches
COLOR = "#2563a8"
COLORS = (COLOR, "#d1761c", "#1f9480", "#a457b8", "#c94f5d", "#7a8493")
PICTURE_SIZE = (6.0, 3.4)  # inches
PICTURE_DPI = 160
HASH_SALT = "bedrock-rft-sim"  # keeps the ids inside the SVG the same from run to run

Lines = Sequence[Mapping[str, Any]]


def console_graphs(lines: Lines) -> str:
    """Return an SVG of the console's graphs, in its order."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    by_title = {metric.console_title: metric for metric in METRICS if metric.console_title}
    metrics = [by_title[title] for title in CONSOLE_ORDER]
    rows = -(-len(metrics) // COLUMNS)
    with mpl.rc_context({"svg.hashsalt": HASH_SALT, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(WIDTH, ROW_HEIGHT * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for place, metric in zip(axes, metrics, strict=False):
            _draw(place, metric, lines)
        for unused in axes[len(metrics) :]:
            unused.set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def picture(graph: Graph, form: str) -> bytes:
    """Return one graph as `png` or `svg`; the same numbers give the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": HASH_SALT, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=PICTURE_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set_title(graph.title, fontsize=12, loc="left")
        axes.set_xlabel("step")
        axes.set_ylabel(graph.unit)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        for index, series in enumerate(graph.series):
            axes.plot(
                series.steps,
                series.values,
                label=_plain(series.name),
                color=COLORS[index % len(COLORS)],
                linewidth=1.4,
                marker="o" if graph.sparse else "",
                markersize=3,
            )
        if len(graph.series) > 1:
            axes.legend(frameon=False, fontsize=9)
        out = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=PICTURE_DPI, metadata=metadata)
    return out.getvalue()


def _plain(name: str) -> str:
    """Return a name that matplotlib takes for text: no mathematics, no hidden entry."""
    return visible(name).replace("$", r"\$").lstrip("_") or "?"


def _draw(axes: Axes, metric: Metric, lines: Lines) -> None:
    points = [(line["step"], line[metric.inner]) for line in lines if metric.inner in line]
    axes.set_title(metric.console_title or metric.inner, fontsize=10, loc="left")
    axes.set_xlabel("step")
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if not points:
        axes.text(0.5, 0.5, "no values", ha="center", va="center", transform=axes.transAxes)
        return
    steps, values = zip(*points, strict=True)
    sparse = metric.inner.startswith("validation")
    axes.plot(steps, values, color=COLOR, linewidth=1.4, marker="o" if sparse else "", markersize=3)
    if metric.unit != "1":
        axes.set_ylabel(metric.unit)
